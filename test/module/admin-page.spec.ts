import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ApplicationConfig, ModulesContainer } from '@nestjs/core';
import { createServer, request as forward } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { request } from 'undici';
import { PageFiles } from '../../libs/db-lock/src/admin/page-files.js';
import { AdminPageFolder, PAGE_FILES } from '../support/admin-page.js';
import { KeyGuard, withKey } from '../support/key-guard.js';
import type { LockService } from '../support/lock-service.js';
import { MemoryLogger } from '../support/memory-logger.js';
import { PLATFORMS } from '../support/platforms.js';
import { routesBelow } from '../support/routes.js';
import { SCRIPT, STYLE, HTML, baseIn, nonceIn, DOOR, pageScene } from './page-scene.js';

describe.each(PLATFORMS)('The admin page on %s', (platform) => {
  const { serve, serveFeature, statusesAt } = pageScene(platform);

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
});
