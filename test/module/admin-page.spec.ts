import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  Catch,
  HttpException,
  Inject,
  Injectable,
  type ArgumentsHost,
  type CallHandler,
  type ExceptionFilter,
  type ExecutionContext,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import {
  APP_FILTER,
  APP_INTERCEPTOR,
  APP_PIPE,
  ApplicationConfig,
  HttpAdapterHost,
  ModulesContainer,
} from '@nestjs/core';
import type { DbLockModuleOptions } from 'nestjs-db-lock';
import { createServer, request as forward } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { catchError, map, of, take, tap } from 'rxjs';
import { request } from 'undici';
import { accessOf } from '../../libs/db-lock/src/admin/access.js';
import { PageFiles } from '../../libs/db-lock/src/admin/page-files.js';
import { AdminPageFolder, PAGE_FILES } from '../support/admin-page.js';
import { KeyGuard, withKey } from '../support/key-guard.js';
import type { LockApplicationOptions } from '../support/lock-application.js';
import { LockService, type Answer, type Message } from '../support/lock-service.js';
import { MemoryLogger } from '../support/memory-logger.js';
import { PLATFORMS } from '../support/platforms.js';
import { routesBelow } from '../support/routes.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

const SCRIPT = 'index-Ab3_-9zQ.js';
const STYLE = 'index-Zz81kLm0.css';

const HTML = /^text\/html; ?charset=utf-8$/;

const baseIn = (page: string) => /<base href="([^"]*)"/.exec(page)?.[1];
const nonceIn = (page: string) => /<meta name="csp-nonce" content="([^"]*)"/.exec(page)?.[1];

/** Paths of one door: whoever may not pass at one, may not pass at any. */
const DOOR = ['admin', `admin/assets/${SCRIPT}`, 'admin/assets/unknown.js', 'admin/api/locks'];

describe.each(PLATFORMS)('The admin page on %s', (platform) => {
  let folder: AdminPageFolder;
  let database: TestDatabase;

  beforeAll(async () => {
    folder = await (await AdminPageFolder.create()).build();
    database = await createTestDatabase();
  });
  afterAll(async () => {
    await folder[Symbol.asyncDispose]();
    await database.drop();
  });

  /** Many applications share one database; each holds what it needs of it. */
  const serve = (options: Omit<LockApplicationOptions, 'database' | 'platform'> = {}, url = folder.url) =>
    LockService.open({
      platform,
      overrides: [[PageFiles, new PageFiles(url)]],
      database: { url: database.url, drop: async () => {} },
      ...options,
    });

  const serveFeature = (feature: DbLockModuleOptions) => serve({ features: [feature] });

  const statusesAt = async (service: LockService, paths: string[], message: Message = {}) => {
    const answers = await Promise.all(paths.map((path) => service.send('GET', path, message)));
    return answers.map(({ status }) => status);
  };

  describe('in an application', () => {
    let service: LockService;

    beforeAll(async () => {
      service = await serve();
    });
    afterAll(() => service.close());

    const get = (path: string, headers: Record<string, string> = {}) =>
      service.send('GET', path, { headers });
    const getAsset = (file: string, headers?: Record<string, string>) => get(`admin/assets/${file}`, headers);
    /** With the body as it comes. */
    const getBytes = async (file: string, headers: Record<string, string>) => {
      const response = await request(`${service.apiServer}/admin/assets/${file}`, { headers });
      return { headers: response.headers, bytes: Buffer.from(await response.body.arrayBuffer()) };
    };

    it('is served with a policy that lets in nothing but itself', async () => {
      const { status, headers, text } = await get('admin');
      expect(status).toBe(200);
      expect(headers['content-type']).toMatch(HTML);
      const nonce = nonceIn(text)!;
      expect(nonce).toMatch(/^[\w+/]{22}==$/);
      expect(text).toBe(PAGE_FILES['index.html'].replace('%BASE%', './admin/').replace('%NONCE%', nonce));
      expect(headers['content-security-policy']).toBe(
        `default-src 'none'; script-src 'self'; style-src 'self' 'nonce-${nonce}'; img-src 'self' data:; ` +
          `font-src 'self'; connect-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'`,
      );
      expect(headers).toMatchObject({
        'cache-control': 'no-store',
        'cross-origin-opener-policy': 'same-origin',
        'referrer-policy': 'no-referrer',
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'content-length': String(Buffer.byteLength(text)),
      });
      expect(headers).not.toHaveProperty('etag');
    });

    it('has another nonce each time', async () => {
      const nonces = await Promise.all(
        Array.from({ length: 20 }, async () => nonceIn((await get('admin')).text)),
      );
      expect(new Set(nonces).size).toBe(20);
    });

    it.each([
      ['admin', './admin/'],
      ['admin?search=a/', './admin/'],
      ['admin/', './'],
      ['admin/?search=a', './'],
    ])('at %s begins its addresses at %s', async (path, base) => {
      const { status, text } = await get(path);
      expect([status, baseIn(text)]).toEqual([200, base]);
      const page = new URL(path, `${service.apiServer}/`);
      const script = new URL(`assets/${SCRIPT}`, new URL(baseIn(text)!, page));
      expect((await request(script)).statusCode).toBe(200);
    });

    it.each(['admin//', 'admin/index.html', 'admin/assets', 'admin/assets/', 'admin/api', 'admins'])(
      'is not at %s',
      async (path) => {
        expect((await get(path)).status).toBe(404);
      },
    );

    it.each([
      [SCRIPT, /^text\/javascript; ?charset=utf-8$/, 'private, max-age=31536000, immutable'],
      [STYLE, /^text\/css; ?charset=utf-8$/, 'private, max-age=31536000, immutable'],
      ['mark-Qq1w2e3r.svg', /^image\/svg\+xml/, 'private, max-age=31536000, immutable'],
      ['favicon.ico', /^image\/x-icon$/, 'private, no-cache'],
    ] as const)('serves %s', async (file, type, caching) => {
      const { status, headers, text } = await getAsset(file);
      expect([status, text]).toEqual([200, PAGE_FILES[`assets/${file}`]]);
      expect(headers['content-type']).toMatch(type);
      expect(headers).toMatchObject({
        'cache-control': caching,
        'content-length': String(Buffer.byteLength(text)),
        etag: expect.stringMatching(/^W\/"[\w-]{22}"$/),
        vary: 'Accept-Encoding',
        'x-content-type-options': 'nosniff',
      });
      expect(headers).not.toHaveProperty('content-encoding');
    });

    it('compresses for whom can read it, where that helps', async () => {
      const { headers, bytes } = await getBytes(SCRIPT, { 'accept-encoding': 'br, gzip' });
      expect(headers).toMatchObject({
        'content-encoding': 'gzip',
        'content-length': String(bytes.length),
        vary: 'Accept-Encoding',
      });
      expect(bytes.length).toBeLessThan(200);
      expect(gunzipSync(bytes).toString()).toBe(PAGE_FILES[`assets/${SCRIPT}`]);
      for (const [file, coding] of [
        [SCRIPT, 'br'],
        [SCRIPT, 'gzip;q=0'],
        ['favicon.ico', 'gzip'],
      ] as const)
        expect((await getBytes(file, { 'accept-encoding': coding })).headers).not.toHaveProperty(
          'content-encoding',
        );
    });

    it('sends a file again only when it has changed', async () => {
      const { etag } = (await getAsset(SCRIPT)).headers as { etag: string };
      for (const known of [etag, `"old", ${etag}`, etag.slice(2), '*']) {
        const answer = await getAsset(SCRIPT, { 'if-none-match': known, 'accept-encoding': 'gzip' });
        expect(answer).toMatchObject({ status: 304, text: '', headers: { etag } });
        expect(answer.headers).not.toHaveProperty('content-encoding');
      }
      const other = (await getAsset(STYLE)).headers['etag']!;
      expect((await getAsset(SCRIPT, { 'if-none-match': other })).status).toBe(200);
    });

    it('answers HEAD as GET, without a body', async () => {
      for (const path of ['admin', 'admin/', `admin/assets/${SCRIPT}`]) {
        const [{ headers }, head] = [await get(path), await service.send('HEAD', path)];
        expect(head).toMatchObject({ status: 200, text: '' });
        for (const name of ['content-type', 'content-length', 'cache-control', 'etag'])
          expect([name, head.headers[name]]).toEqual([name, headers[name]]);
      }
      expect((await service.send('HEAD', 'admin/assets/unknown.js')).status).toBe(404);
    });

    it.each([
      'unknown.js',
      '..%2fpackage.json',
      '..%2f..%2fpackage.json',
      '..%5cpackage.json',
      '%2e%2e%2fpackage.json',
      '%2fetc%2fpasswd',
      'deeper',
      'deeper%2fsecret.js',
      `.%2f${SCRIPT}`,
      `${SCRIPT}%00`,
      `${SCRIPT}.map`,
      '__proto__',
      'constructor',
      'index.html',
    ])('has no file %s', async (file) => {
      const { status, headers, json } = await getAsset(file);
      expect(status).toBe(404);
      expect(headers['content-type']).toMatch(/^application\/problem\+json/);
      expect(headers['cache-control']).toBe('no-store');
      expect(json).toMatchObject({ status: 404, code: 'NOT_FOUND' });
    });

    it.each(['../package.json', '../../package.json', '%2e%2e/package.json', 'deeper/secret.js'])(
      'leads nowhere at %s',
      async (file) => {
        const { status, text } = await getAsset(file);
        expect(status).toBe(404);
        expect(text).not.toContain('secret"');
      },
    );
  });

  it('lies below the global prefix', async () => {
    await using service = await serve({ globalPrefix: 'internal/v1' });
    for (const [path, base] of [
      ['admin', './admin/'],
      ['admin/', './'],
    ] as const)
      expect(baseIn((await service.send('GET', path)).text)).toBe(base);
    expect((await service.send('GET', `admin/assets/${SCRIPT}`)).status).toBe(200);
    expect(await statusesAt(service, ['/dblock/admin', `/dblock/admin/assets/${SCRIPT}`])).toEqual([
      404, 404,
    ]);
  });

  it('works behind a proxy that takes a prefix away', async () => {
    await using service = await serve();
    const proxy = createServer((incoming, outgoing) => {
      const path = incoming.url!.replace(/^\/tools\/locks/, '');
      forward(
        `${service.origin}${path}`,
        { method: incoming.method, headers: incoming.headers },
        (answer) => {
          outgoing.writeHead(answer.statusCode!, answer.headers);
          answer.pipe(outgoing);
        },
      ).end();
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const { port } = proxy.address() as AddressInfo;
    for (const path of ['admin', 'admin/']) {
      const page = `http://127.0.0.1:${port}/tools/locks/dblock/${path}`;
      const base = baseIn(await (await request(page)).body.text())!;
      for (const inner of [`assets/${SCRIPT}`, 'api/locks']) {
        const url = new URL(inner, new URL(base, page));
        expect(url.pathname).toBe(`/tools/locks/dblock/admin/${inner}`);
        const answer = await request(url);
        await answer.body.dump();
        expect(answer.statusCode).toBe(200);
      }
    }
    proxy.closeAllConnections();
    await new Promise((resolve) => proxy.close(resolve));
  });

  it('is refused by the guards as its files and its API are', async () => {
    await using service = await serveFeature({ adminGuards: [new KeyGuard('admin')] });
    const doors = [...DOOR, 'admin/'];
    expect(await statusesAt(service, doors)).toEqual(doors.map(() => 401));
    expect(await statusesAt(service, doors, { headers: withKey('other') })).toEqual(doors.map(() => 403));
    expect(await statusesAt(service, doors, { headers: withKey('admin') })).toEqual([
      200, 200, 404, 200, 200,
    ]);
    const refused = await service.send('GET', 'admin');
    expect(refused.json).toMatchObject({ status: 401, code: 'UNAUTHORIZED' });
    expect(refused.text).not.toContain('<');
  });

  it('of one feature is not behind the guards of another', async () => {
    await using service = await serve({
      features: [
        { adminGuards: [new KeyGuard('one')], resolveAccess: () => 'view' },
        { feature: 'billing', adminGuards: [new KeyGuard('two')] },
        { feature: 'open', path: 'deep/open' },
      ],
    });
    const at = (path: string) => DOOR.map((door) => `/${path}/${door}`);
    const open = [200, 200, 404, 200];
    for (const [key, own, other] of [
      ['one', 'dblock', 'billing'],
      ['two', 'billing', 'dblock'],
    ] as const) {
      expect(await statusesAt(service, at(own), { headers: withKey(key) })).toEqual(open);
      expect(await statusesAt(service, at(other), { headers: withKey(key) })).toEqual(DOOR.map(() => 403));
    }
    expect(await statusesAt(service, at('deep/open'))).toEqual(open);
    const clear = (feature: string, key: string) =>
      service.send('POST', `/${feature}/admin/api/clear-expired`, { headers: withKey(key) });
    expect((await clear('dblock', 'one')).status).toBe(403);
    expect((await clear('billing', 'two')).status).toBe(200);
  });

  it('is not there without the admin, and reads no file', async () => {
    await using service = await serveFeature({ autoRegisterAdmin: false });
    expect(await statusesAt(service, [...DOOR, 'admin/'])).toEqual([404, 404, 404, 404, 404]);
    expect(routesBelow(service.app, 'dblock').filter(({ path }) => path.includes('admin'))).toEqual([]);
    const tokens = [...service.app.get(ModulesContainer).values()].flatMap(({ providers }) => [
      ...providers.keys(),
    ]);
    expect(tokens).not.toContain(PageFiles);
  });

  it('says how to build it where it is not built, and is there as soon as it is', async () => {
    await using later = await AdminPageFolder.create();
    const logger = new MemoryLogger();
    await using service = await serve({ logger }, later.url);
    for (const path of ['admin', `admin/assets/${SCRIPT}`])
      expect((await service.send('GET', path)).json).toMatchObject({
        status: 503,
        code: 'ADMIN_PAGE_NOT_BUILT',
        detail: expect.stringContaining('npm run build:admin'),
      });
    expect(logger.warnings).toContainEqual(expect.stringContaining('npm run build:admin'));
    expect((await service.send('GET', 'admin/api/locks')).status).toBe(200);
    await later.build();
    expect(await statusesAt(service, ['admin', `admin/assets/${SCRIPT}`])).toEqual([200, 200]);
  });

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

  it('starts where the router overlooks slashes, and where routes in conflict are errors', async () => {
    const strict = {
      provide: 'policy',
      inject: [ApplicationConfig],
      useFactory: (config: ApplicationConfig) =>
        config.setRouteConflictPolicy({ duplicate: 'error', shadow: 'error' }),
    };
    for (const options of [
      { routerOptions: { ignoreTrailingSlash: true } },
      { metadata: { providers: [strict] } },
    ]) {
      await using service = await serve(options);
      expect(baseIn((await service.send('GET', 'admin')).text)).toBe('./admin/');
      expect(baseIn((await service.send('GET', 'admin/')).text)).toBe('./');
    }
  });

  describe('asks what somebody may do', () => {
    const LEVELS = ['view', 'release', 'edit'] as const;

    const NEEDS: Array<[method: string, path: string, needs: (typeof LEVELS)[number], body?: object]> = [
      ['GET', 'admin', 'view'],
      ['GET', `admin/assets/${SCRIPT}`, 'view'],
      ['GET', 'admin/api/session', 'view'],
      ['GET', 'admin/api/locks', 'view'],
      ['GET', 'admin/api/groups', 'view'],
      ['GET', 'admin/api/locks/a', 'view'],
      ['GET', 'admin/api/locks/a/history', 'view'],
      ['GET', 'admin/api/locks.csv', 'view'],
      ['GET', 'admin/api/overview?range=1h', 'view'],
      ['POST', 'admin/api/locks/a/force-release', 'release'],
      ['POST', 'admin/api/force-release', 'release'],
      ['POST', 'admin/api/locks', 'edit'],
      ['PATCH', 'admin/api/locks/a', 'edit'],
      ['POST', 'admin/api/delete-released', 'edit'],
      ['POST', 'admin/api/clear-expired', 'edit'],
    ];

    let service: LockService;
    const guard = new KeyGuard('key');

    beforeAll(async () => {
      service = await serveFeature({
        adminGuards: [guard],
        resolveAccess: ({ user }) => user as (typeof LEVELS)[number],
      });
    });
    afterAll(() => service.close());

    const send = (method: string, path: string): Promise<Answer> =>
      service.send(method, path, { ...(method !== 'GET' && { json: {} }), headers: withKey('key') });

    it.each(NEEDS)('%s %s needs %s', async (method, path, needs) => {
      for (const access of LEVELS) {
        guard.user = access;
        const { status, json } = await send(method, path);
        const enough = LEVELS.indexOf(access) >= LEVELS.indexOf(needs);
        expect([access, status === 403]).toEqual([access, !enough]);
        // A body without fields is refused by those who may be asked; all the others are there.
        if (enough && method === 'GET' && path !== 'admin/api/locks/a') expect(status).toBe(200);
        if (!enough)
          expect(json).toMatchObject({ code: 'FORBIDDEN', detail: expect.stringContaining(needs) });
      }
      guard.user = undefined;
      expect((await send(method, path)).json).toMatchObject({ status: 403, code: 'FORBIDDEN' });
    });

    it('of every route, with the guards before it', async () => {
      guard.user = undefined;
      for (const { method, path } of routesBelow(service.app, 'dblock/admin')) {
        const target = `/${path.replaceAll(/:\w+/g, 'a')}`;
        expect([path, (await send(method, target)).status]).toEqual([path, 403]);
        expect([path, (await service.send(method, target, { json: {} })).status]).toEqual([path, 401]);
      }
    });

    it('with the request as the guards have left it, and refuses whatever goes wrong', async () => {
      const requests: object[] = [];
      const logger = new MemoryLogger();
      await using other = await serve({
        logger,
        features: [
          {
            adminGuards: [new KeyGuard('key', { name: 'olga' })],
            resolveAccess: async (request) => {
              requests.push(request);
              expect(request.user).toEqual({ name: 'olga' });
              const { way } = request.headers!;
              if (way === 'throw') throw new Error('no database');
              if (way === 'teapot') throw new HttpException('short and stout', 418);
              return way as 'view';
            },
          },
        ],
      });
      const statuses = (way: string) => statusesAt(other, DOOR, { headers: { ...withKey('key'), way } });
      expect(await statuses('view')).toEqual([200, 200, 404, 200]);
      expect(requests.map(accessOf)).toEqual(['view', 'view', 'view', 'view']);
      expect(logger.errors).toEqual([]);
      expect(await statuses('teapot')).toEqual([418, 418, 418, 418]);
      expect(logger.errors).toEqual([]);
      expect(await statuses('owner')).toEqual([403, 403, 403, 403]);
      expect(logger.errors).toEqual(Array(4).fill(expect.stringContaining('resolveAccess returned "owner"')));
      expect(await statuses('throw')).toEqual([403, 403, 403, 403]);
      expect(logger.errors.slice(4)).toEqual(Array(4).fill(expect.stringContaining('no database')));
    });
  });

  describe('does nothing for pages of other sites', () => {
    let service: LockService;

    beforeAll(async () => {
      service = await serve();
    });
    afterAll(() => service.close());

    const clear = (headers: Record<string, string>) =>
      service.send('POST', 'admin/api/clear-expired', { headers });

    it.each<Record<string, string>>([
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { origin: 'https://evil.example.com' },
      { origin: 'null' },
    ])('which send %j', async (headers) => {
      const { status, json } = await clear(headers);
      expect([status, json]).toEqual([403, expect.objectContaining({ code: 'CROSS_SITE' })]);
      const routes = routesBelow(service.app, 'dblock/admin').filter(({ method }) => method !== 'GET');
      expect(routes.length).toBeGreaterThanOrEqual(2);
      for (const { method, path } of routes) {
        const target = `/${path.replaceAll(/:\w+/g, 'a')}`;
        const answer = await service.send(method, target, { json: {}, headers });
        expect([path, answer.json]).toEqual([path, expect.objectContaining({ code: 'CROSS_SITE' })]);
      }
    });

    it('but shows itself to who follows a link, and obeys its own page, proxies and programs', async () => {
      const link = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' };
      expect(await statusesAt(service, DOOR, { headers: link })).toEqual([200, 200, 404, 200]);
      const own = { origin: service.origin };
      const welcome: Array<Record<string, string>> = [
        {},
        own,
        { ...own, 'sec-fetch-site': 'same-origin' },
        { 'sec-fetch-site': 'none' },
        { origin: 'https://locks.example.com', 'x-forwarded-host': 'locks.example.com' },
      ];
      for (const headers of welcome) expect((await clear(headers)).status).toBe(200);
    });
  });
});
