import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  Catch,
  Inject,
  Injectable,
  type ArgumentsHost,
  type CallHandler,
  type ExceptionFilter,
  type ExecutionContext,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import { APP_FILTER, APP_INTERCEPTOR, APP_PIPE, HttpAdapterHost } from '@nestjs/core';
import { catchError, map, of, take, tap } from 'rxjs';
import { PAGE_FILES } from '../support/admin-page.js';
import type { LockService } from '../support/lock-service.js';
import { MemoryLogger } from '../support/memory-logger.js';
import { PLATFORMS } from '../support/platforms.js';
import { SCRIPT, pageScene } from './page-scene.js';

describe.each(PLATFORMS)('The admin page on %s', (platform) => {
  const { serve } = pageScene(platform);

  describe("is not bent by the application's interceptors, pipes and filters", () => {
    @Injectable()
    class Envelope implements NestInterceptor {
      intercept = (_: ExecutionContext, next: CallHandler) =>
        next.handle().pipe(
          map((data: unknown) => ({ data: JSON.stringify(data) })),
          catchError((error: unknown) => [{ error: String(error) }]),
        );
    }
    /** Shows what it has seen before, as a cache does. */
    @Injectable()
    class Memory implements NestInterceptor {
      readonly #seen = new Map<string, unknown>();

      intercept(context: ExecutionContext, next: CallHandler) {
        const { url } = context.switchToHttp().getRequest<{ url: string }>();
        const seen = this.#seen.get(url);
        if (seen !== undefined) return of(seen);
        return next.handle().pipe(tap((value: unknown) => this.#seen.set(url, value)));
      }
    }
    @Injectable()
    class Labelling implements NestInterceptor {
      constructor(@Inject(HttpAdapterHost) private readonly adapterHost: HttpAdapterHost) {}

      intercept = (context: ExecutionContext, next: CallHandler) =>
        next.handle().pipe(
          take(1),
          tap(() => {
            const response: unknown = context.switchToHttp().getResponse();
            this.adapterHost.httpAdapter.setHeader(response, 'x-served-by', 'this one');
          }),
        );
    }
    @Injectable()
    class Shouting implements PipeTransform {
      transform = (value: unknown) => (typeof value === 'string' ? value.toUpperCase() : value);
    }
    @Catch()
    class Teapot implements ExceptionFilter {
      catch(_: unknown, host: ArgumentsHost): void {
        host.switchToHttp().getResponse<{ status(code: number): { send(): void } }>().status(418).send();
      }
    }

    let service: LockService;

    beforeAll(async () => {
      service = await serve({
        metadata: {
          providers: [
            { provide: APP_INTERCEPTOR, useClass: Envelope },
            { provide: APP_INTERCEPTOR, useClass: Memory },
            { provide: APP_PIPE, useClass: Shouting },
            { provide: APP_FILTER, useClass: Teapot },
          ],
        },
      });
    });
    afterAll(() => service.close());

    const ask = (method: string, path: string, json?: object) =>
      service.send(method, `admin/api/${path}`, { ...(json && { json }) });

    it('as to the page and its files', async () => {
      expect((await service.send('GET', 'admin')).text).toContain('<title>Locks</title>');
      const script = await service.send('GET', `admin/assets/${SCRIPT}`);
      expect(script.text).toBe(PAGE_FILES[`assets/${SCRIPT}`]);
      const { etag } = script.headers;
      const known = await service.send('GET', `admin/assets/${SCRIPT}`, {
        headers: { 'if-none-match': etag! },
      });
      expect([known.status, known.text]).toEqual([304, '']);
      expect((await service.send('GET', 'admin/assets/unknown.js')).json).toMatchObject({
        code: 'NOT_FOUND',
      });
    });

    it('as to what its API answers', async () => {
      const created = await ask('POST', 'locks', { lockName: `Unbent ${platform}`, ttl: '1h' });
      expect([created.status, created.json]).toEqual([201, expect.objectContaining({ state: 'held' })]);
      for (let time = 0; time < 2; time++) {
        const session = await ask('GET', 'session');
        expect(session.json).toMatchObject({ feature: 'dblock', access: 'edit' });
        expect(session.headers).toMatchObject({
          'cache-control': 'no-store',
          'content-type': expect.stringMatching(/^application\/json; ?charset=utf-8$/),
        });
        const list = await ask('GET', `locks?prefix=Unbent%20${platform}`);
        expect(list.json).toMatchObject({ items: [{ lockName: `Unbent ${platform}` }], total: 1 });
      }
      expect(await ask('POST', 'clear-expired')).toMatchObject({ status: 200, json: { cleared: 0 } });
    });

    it('as to its CSV and its events', async () => {
      const csv = await ask('GET', 'locks.csv?prefix=none');
      expect(csv.text).toMatch(/^\ufeff?"lock_name",.*\r\n$/);
      expect(csv.headers).toMatchObject({
        'cache-control': 'no-store',
        'content-type': expect.stringMatching(/^text\/csv\b/),
        'content-disposition': 'attachment; filename="dblock-locks.csv"',
      });
      const events = await ask('GET', 'changes');
      expect(events.headers['content-type']).toBe('text/event-stream');
      expect(events.text).toBe('retry: 3000\nevent: hello\ndata: {}\n\n');
    });

    it('as to how its API refuses', async () => {
      for (const [path, status, code] of [
        ['locks/unknown', 404, 'LOCK_NOT_FOUND'],
        ['locks?page=0', 400, 'INVALID_REQUEST'],
        ['locks.csv?page=0', 400, 'INVALID_REQUEST'],
      ] as const) {
        const refused = await ask('GET', path);
        expect([path, refused.status, refused.json]).toEqual([
          path,
          status,
          expect.objectContaining({ code }),
        ]);
        expect(refused.headers['content-type']).toMatch(/^application\/problem\+json/);
      }
    });

    it('but lets them label what its API answers', async () => {
      const logger = new MemoryLogger();
      await using labelled = await serve({
        logger,
        metadata: { providers: [{ provide: APP_INTERCEPTOR, useClass: Labelling }] },
      });
      for (const path of ['session', 'locks/unknown', 'locks.csv', 'changes']) {
        const { headers } = await labelled.send('GET', `admin/api/${path}`);
        expect([path, headers['x-served-by']]).toEqual([path, 'this one']);
      }
      expect(logger.errors).toEqual([]);
    });
  });
});
