import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { Agent, get, request, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { startPostgres } from '../support/postgres-server.js';
import { until } from '../support/patience.js';
import { startRedis } from '../support/redis-server.js';
import { StandaloneServer } from '../support/standalone-server.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

const TOKEN = 'a-token-for-tests';
const PASSWORD = 'a-password-for-tests';

/** As much of an OpenAPI document as is looked at. */
interface ApiDocument {
  components: { securitySchemes: object };
  paths: Record<string, Record<string, ApiOperation>>;
}

interface ApiOperation {
  security?: object[];
  responses: Record<string, { content?: object }>;
}

describe('the standalone server on PostgreSQL', () => {
  let database: TestDatabase;
  let server: StandaloneServer | undefined;

  beforeAll(async () => {
    database = await createTestDatabase();
  });

  afterEach(async () => {
    await server?.end('SIGKILL');
    server = undefined;
  });

  afterAll(() => database.drop());

  const start = async (environment: Record<string, string> = {}) =>
    (server = await StandaloneServer.start({
      DATABASE_URL: database.url,
      DB_LOCK_CREATE_TABLES: 'true',
      ...environment,
    }));

  /** On a busy machine the database may take too long to answer for once. */
  const ready = () =>
    until('the server is ready', 30_000, async () => (await server!.call('/health/ready')).status === 200);

  it('never creates tables silently', async () => {
    await start({ DB_LOCK_CREATE_TABLES: 'false', DB_LOCK_FEATURE: 'untouched' });
    expect((await server!.ended()).code).toBe(1);
    expect(server!.stderr).toContain('"untouched_lock" does not exist');
    expect(server!.stderr).toContain('DB_LOCK_CREATE_TABLES=true');
    expect(server!.stderr).toContain('npm run --silent sql -- --feature untouched');
    expect(server!.stderr).not.toContain('createTables');
  });

  it('refuses to be reached by other machines without a token', async () => {
    await start({ HOST: '0.0.0.0' });
    expect((await server!.ended()).code).toBe(1);
    expect(server!.stderr).toContain('HOST=0.0.0.0');
    expect(server!.stderr).toContain('DB_LOCK_API_TOKEN');
  });

  it('lets in who brings the token, and the admin who brings the password', async () => {
    await start({ DB_LOCK_API_TOKEN: TOKEN, DB_LOCK_ADMIN_PASSWORD: PASSWORD, DB_LOCK_FEATURE: 'guarded' });
    const with_ = (authorization: string): RequestInit => ({ headers: { authorization } });
    const basic = (text: string) => with_(`Basic ${Buffer.from(text).toString('base64')}`);
    const api = [
      '/guarded/locks',
      '/guarded/acquireLock?lockName=g&workerName=w&timeout=600',
      '/guarded/getLockInfo?lockName=g',
    ];
    for (const path of api) {
      for (const denied of [
        {},
        with_('Bearer wrong'),
        with_(`Bearer ${PASSWORD}`),
        basic(`admin:${PASSWORD}`),
      ])
        expect((await server!.call(path, denied)).status).toBe(401);
      expect((await server!.call(path, with_(`Bearer ${TOKEN}`))).status).toBe(200);
    }
    for (const path of ['', '/', '/assets/index.js', '/api/locks']) {
      const { status, headers } = await fetch(`${server!.origin}/guarded/admin${path}`);
      const challenge = expect.stringMatching(/^Basic realm=/);
      expect([status, headers.get('www-authenticate')]).toEqual([401, challenge]);
      // Whether the page is built is not the matter here.
      const entered = await fetch(`${server!.origin}/guarded/admin${path}`, basic(`admin:${PASSWORD}`));
      expect(entered.status).not.toBe(401);
      expect(entered.headers.has('www-authenticate')).toBe(false);
    }

    const counts = '/guarded/admin/api/counts';
    for (const denied of [
      {},
      with_(`Bearer ${TOKEN}`),
      basic('admin:wrong'),
      basic(`root:${PASSWORD}`),
      basic('admin'),
    ])
      expect((await server!.call(counts, denied)).status).toBe(401);
    expect((await server!.call(counts, basic(`admin:${PASSWORD}`))).body).toEqual({
      held: 1,
      expired: 0,
      released: 0,
      contended: 0,
      waiting: 0,
    });

    const forced = await server!.call('/guarded/admin/api/locks/g/force-release', {
      method: 'POST',
      headers: { ...(basic(`admin:${PASSWORD}`).headers as object), 'content-type': 'application/json' },
      body: '{"reason":"it hangs"}',
    });
    expect(forced.body).toMatchObject({ lockName: 'g', ended: { workerName: 'w' } });
    const history = await server!.call('/guarded/admin/api/locks/g/history', basic(`admin:${PASSWORD}`));
    const { items } = history.body as { items: Array<{ event: string }> };
    expect(items.find(({ event }) => event === 'forced')).toMatchObject({
      actor: 'admin',
      reason: 'it hangs',
    });
    await ready();
  });

  it('says in its API docs which credentials each operation asks for, and what it answers without', async () => {
    await start({ DB_LOCK_API_TOKEN: TOKEN, DB_LOCK_ADMIN_PASSWORD: PASSWORD, DB_LOCK_FEATURE: 'docs' });
    const credentials: Record<string, string> = {
      bearer: `Bearer ${TOKEN}`,
      basic: `Basic ${Buffer.from(`admin:${PASSWORD}`).toString('base64')}`,
    };
    const { components, paths } = (await server!.call('/docs-json')).body as unknown as ApiDocument;
    expect(Object.keys(components.securitySchemes).sort()).toEqual(['basic', 'bearer']);
    const demanded = new Set<string>();
    for (const [path, operations] of Object.entries(paths)) {
      for (const [method, { security = [], responses }] of Object.entries(operations)) {
        const ask = async (authorization?: string) => {
          const { status, headers, body } = await fetch(server!.origin + path, {
            method: method.toUpperCase(),
            headers: authorization === undefined ? {} : { authorization },
          });
          await body?.cancel();
          return { status, type: headers.get('content-type')?.split(';')[0] };
        };
        const [scheme] = security.flatMap(Object.keys);
        demanded.add(`${path.split('/')[2]} ${scheme}`);
        const stranger = await ask();
        expect([method, path, stranger.status === 401]).toEqual([method, path, scheme !== undefined]);
        expect([method, path, Object.keys(responses['401']?.content ?? {})]).toEqual([
          method,
          path,
          scheme === undefined ? [] : [stranger.type],
        ]);
        if (scheme !== undefined) expect((await ask(credentials[scheme])).status).not.toBe(401);
      }
    }
    expect([...demanded]).toEqual(
      expect.arrayContaining(['locks bearer', 'acquireLock bearer', 'admin basic', 'ready undefined']),
    );
  });

  it('does not serve the admin to other machines without a password', async () => {
    await start({ HOST: '0.0.0.0', DB_LOCK_API_TOKEN: TOKEN });
    expect(server!.stderr).toContain('not served: set DB_LOCK_ADMIN_PASSWORD');
    expect((await server!.call('/dblock/admin/api/counts')).status).toBe(404);
    expect((await server!.call('/')).body).toMatchObject({ api: 'dblock', admin: null });
    const browser = await fetch(`${server!.origin}/`, {
      redirect: 'manual',
      headers: { accept: 'text/html' },
    });
    expect(browser.headers.get('location')).toBe('docs');
    expect(
      (await server!.call('/dblock/locks', { headers: { authorization: `Bearer ${TOKEN}` } })).status,
    ).toBe(200);
  });

  /** A request for a lease that the server has begun to read. It is answered when the rest of it is there, whenever that is. */
  async function underWay(agent?: Agent) {
    const body = '{"ttl":"60s"}';
    const sending = request(`${server!.origin}/dblock/locks/in-flight/lease`, {
      agent,
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'content-length': body.length,
        expect: '100-continue',
      },
    });
    const answer = once(sending, 'response').then(([response]) => (response as IncomingMessage).statusCode);
    answer.catch(() => {}); // who awaits it is told
    await once(sending, 'continue');
    return { answer, finish: () => sending.end(body) };
  }

  it('lets requests in flight finish on SIGTERM, and then exits with 0', async () => {
    await start({ DB_LOCK_SHUTDOWN_GRACE: '60' });
    // On a connection that has had an answer before, and that its client would keep.
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const [before] = (await once(get(`${server!.origin}/health/live`, { agent }), 'response')) as [
      IncomingMessage,
    ];
    await text(before);
    const { answer, finish } = await underWay(agent);
    // One that has asked nothing is closed when the server looks for those that it need not wait for.
    const ahead = connect(server!.port, '127.0.0.1');
    await once(ahead, 'connect');
    expect((await server!.call('/health/live')).status).toBe(200); // so the server has that connection
    const lookedAround = once(ahead, 'close');
    const ending = server!.end('SIGTERM');
    await until('nobody is let in any more', 30_000, () =>
      server!.call('/health/live').then(
        () => false,
        () => true,
      ),
    );
    await lookedAround;
    finish();
    expect(await answer).toBe(201);
    expect(await ending).toEqual({ code: 0, signal: null });
    agent.destroy();
  });

  it('does not wait for a request on a connection that a browser has opened ahead', async () => {
    await start();
    const ahead = connect(server!.port, '127.0.0.1');
    await once(ahead, 'connect');
    expect((await server!.call('/health/live')).status).toBe(200);
    expect(await server!.end('SIGTERM')).toEqual({ code: 0, signal: null });
    ahead.destroy();
  });

  it('exits with 1 when requests outlast the grace time', async () => {
    await start({ DB_LOCK_SHUTDOWN_GRACE: '0' });
    const { answer } = await underWay();
    expect((await server!.end('SIGTERM')).code).toBe(1);
    await expect(answer).rejects.toMatchObject({ code: 'ECONNRESET' });
  });

  it('is live but not ready, and answers 503, while the database is down; and recovers', async () => {
    const postgres = await startPostgres();
    await start({ DATABASE_URL: postgres.url });
    await ready();
    await postgres.kill();
    expect((await server!.call('/health/live')).status).toBe(200);
    expect(await server!.call('/health/ready')).toMatchObject({
      status: 503,
      body: { details: { database: { status: 'down' } } },
    });
    const acquire = '/dblock/acquireLock?lockName=down&workerName=w&timeout=60';
    expect(await server!.call(acquire)).toMatchObject({ status: 503, body: { success: false } });
    await postgres.restart();
    await ready();
    expect((await server!.call(acquire)).body).toEqual({ success: true, result: true });
    await server!.end('SIGKILL');
    await postgres.stop();
  });

  it('is ready but degraded while the Redis of the gate is down, and grants all the same', async () => {
    const redis = await startRedis();
    await start({ REDIS_URL: redis.url });
    expect(server!.stderr).toContain(`Redis gate ${new URL(redis.url).host}`);
    await until('the server and its gate are ready', 30_000, async () => {
      return (await server!.call('/health/ready')).body['status'] === 'ok';
    });
    const acquire = (name: string) =>
      server!.call(`/dblock/acquireLock?lockName=${name}&workerName=w&timeout=60`);
    expect((await acquire('gated')).body).toEqual({ success: true, result: true });
    expect((await acquire('gated')).body).toEqual({ success: true, result: false });

    await redis.kill();
    let health: Awaited<ReturnType<StandaloneServer['call']>> | undefined;
    await until('the gate is out of order', 30_000, async () => {
      expect((await acquire(`down ${performance.now()}`)).body).toEqual({ success: true, result: true });
      health = await server!.call('/health/ready');
      return health.body['status'] === 'degraded';
    });
    expect(health).toMatchObject({
      status: 200,
      body: { details: { database: { status: 'degraded', message: 'the Redis gate does not answer.' } } },
    });
    expect((await acquire('gated')).body).toEqual({ success: true, result: false });

    await redis.restart();
    await until('the gate is back', 60_000, async () => {
      await acquire('gated');
      return (await server!.call('/health/ready')).body['status'] === 'ok';
    });
    await redis.stop();
  });
});
