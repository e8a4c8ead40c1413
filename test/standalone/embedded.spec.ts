import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../support/patience.js';
import { StandaloneServer } from '../support/standalone-server.js';
import { json, keepsTheContract } from './contract.js';

describe('the standalone server on its embedded database', () => {
  let directory: string;
  let server: StandaloneServer;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'db-lock-standalone-'));
    server = await start();
  });

  afterAll(async () => {
    await server.end();
    await rm(directory, { recursive: true, force: true });
  });

  const start = () => StandaloneServer.start({ DB_LOCK_DATA_DIR: join(directory, 'data') });

  it('says where everything is', () => {
    for (const address of ['/dblock', '/dblock/admin', '/docs', '/health/ready', '/metrics'])
      expect(server.stderr).toContain(`${server.origin}${address}\n`);
    expect(existsSync(join(directory, 'data'))).toBe(true);
  });

  it('sends browsers to its admin, and tells programs what is where', async () => {
    const ask = (method: string, accept?: string) =>
      fetch(`${server.origin}/`, { method, redirect: 'manual', headers: accept ? { accept } : {} });
    const browser = await ask('GET', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8');
    expect(browser.status).toBe(302);
    expect(browser.headers.get('vary')).toBe('Accept');
    const landed = new URL(browser.headers.get('location')!, `${server.origin}/`);
    expect(landed.href).toBe(`${server.origin}/dblock/admin`);
    expect((await ask('HEAD', 'text/html')).status).toBe(302);

    for (const accept of [undefined, 'application/json']) {
      const program = await ask('GET', accept);
      expect(program.status).toBe(200);
      const places = (await program.json()) as Record<string, string>;
      expect(places).toEqual({
        api: 'dblock',
        admin: 'dblock/admin',
        docs: 'docs',
        health: 'health/ready',
        metrics: 'metrics',
      });
      for (const place of [
        `${places['api']}/locks`,
        ...['admin', 'docs', 'health', 'metrics'].map((name) => places[name]),
      ])
        expect((await fetch(`${server.origin}/${place}`)).status).toBe(200);
    }
    expect((await ask('HEAD')).status).toBe(200);
  });

  keepsTheContract(() => server);

  it('shows its API docs', async () => {
    const page = await fetch(`${server.origin}/docs`);
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toContain('text/html');
    const { body } = await server.call('/docs-json');
    expect(Object.keys(body['paths'] as object)).toEqual(
      expect.arrayContaining(['/dblock/locks/{lockName}/lease', '/dblock/acquireLock', '/health/ready']),
    );
  });

  it.each([
    ['no JSON', '{"ttl":'],
    ['too large', `{"ttl":1000,"metadata":{"text":"${'x'.repeat(1_100_000)}"}}`],
  ])('refuses a body that is %s, by field and rule', async (_, body) => {
    const answer = await server.call('/dblock/locks/bad-body/lease', json(body));
    expect(answer).toMatchObject({
      status: 400,
      body: { code: 'INVALID_REQUEST', issues: [{ field: 'body' }] },
    });
    expect((await server.call('/dblock/locks/bad-body')).status).toBe(404);
  });

  it('keeps web pages out that call it from a browser', async () => {
    const fromPage = { headers: { 'sec-fetch-site': 'cross-site' } };
    for (const path of ['/dblock/acquireLock?lockName=p&workerName=w&timeout=10', '/dblock/admin/api/counts'])
      expect((await server.call(path, fromPage)).status).toBe(403);
    expect((await server.call('/dblock/locks/p')).status).toBe(404);
    expect(await statusFor(server, '/dblock/locks', { host: 'evil.example.com' })).toBe(403);
    expect(await statusFor(server, '/dblock/admin/api/counts', { host: 'evil.example.com' })).toBe(403);
    expect(await statusFor(server, '/dblock/locks', { host: 'localhost' })).toBe(200);
  });

  it('lets people follow links to the admin, but not to what changes something', async () => {
    const link = {
      'sec-fetch-site': 'cross-site',
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'document',
    };
    const locks = '/dblock/admin/api/locks';
    const acquire = '/dblock/acquireLock?lockName=link&workerName=w&timeout=10';
    expect(await statusFor(server, locks, { headers: link })).toBe(200);
    expect(await statusFor(server, locks, { headers: { ...link, 'sec-fetch-dest': 'iframe' } })).toBe(403);
    expect(await statusFor(server, locks, { headers: { ...link, 'sec-fetch-mode': 'cors' } })).toBe(403);
    expect(await statusFor(server, locks, { headers: link, host: 'evil.example.com' })).toBe(403);
    expect(await statusFor(server, acquire, { headers: link })).toBe(403);
    const clear = '/dblock/admin/api/clear-expired';
    expect(await statusFor(server, clear, { headers: link, method: 'POST' })).toBe(403);
    expect((await server.call('/dblock/locks/link')).status).toBe(404);
  });

  it('tells which database it is', () => {
    expect(server.stderr).toContain(`Database   SQLite, in ${join(directory, 'data', 'locks.db')}\n`);
  });

  it('shares its locks with a second server on the same file', async () => {
    await using second = await start();
    const path = '/dblock/locks/shared/lease';
    const first = await server.call(path, json({ ttl: '1h', workerName: 'first' }));
    expect(await second.call(path, json({ ttl: '1h' }))).toMatchObject({
      status: 409,
      body: { holder: { workerName: 'first' } },
    });
    const waiting = second.call(path, json({ ttl: '30s', wait: '60s', workerName: 'second' }));
    await until('the second waits', 30_000, async () => {
      return (await server.call('/dblock/locks/shared')).body['waiting'] === 1;
    });
    await server.call(`${path}/${first.body['grantId']}`, { method: 'DELETE' });
    const passed = await waiting;
    expect(passed).toMatchObject({ status: 201, body: { workerName: 'second' } });
    expect(Number(passed.body['fencingToken'])).toBeGreaterThan(Number(first.body['fencingToken']));
  });

  it('refuses the database of an earlier version, and leaves it alone', async () => {
    const former = join(directory, 'former');
    await mkdir(former);
    await writeFile(join(former, 'PG_VERSION'), '17');
    const refused = await StandaloneServer.start({ DB_LOCK_DATA_DIR: former });
    expect(await refused.ended()).toEqual({ code: 1, signal: null });
    expect(refused.stderr).toContain(`DB_LOCK_DATA_DIR=${former} holds the database of an earlier version`);
    expect(await readdir(former)).toEqual(['PG_VERSION']);
  });

  it('refuses a file that is no database, and names it', async () => {
    const file = join(directory, 'letter.txt');
    await writeFile(file, 'Dear Sir or Madam, this is no database. '.repeat(100));
    const refused = await StandaloneServer.start({ DATABASE_URL: `sqlite:${file}` });
    expect(await refused.ended()).toEqual({ code: 1, signal: null });
    expect(refused.stderr).toContain(`SQLite, in ${file}: `);
    expect(refused.stderr).toContain('not a database');
  });

  it('logs one JSON object a line', () => {
    const lines = server.stdout.trim().split('\n');
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) expect(JSON.parse(line)).toMatchObject({ level: expect.any(Number) });
  });

  it('keeps held locks when it is killed beside another and started again', async () => {
    const second = await start();
    const others = await second.call('/dblock/locks/others/lease', json({ ttl: '1h' }));
    expect(others.status).toBe(201);
    const held = await server.call('/dblock/locks/survivor/lease', json({ ttl: '1h', metadata: { job: 1 } }));
    expect(held.status).toBe(201);
    await Promise.all([server.end('SIGKILL'), second.end('SIGKILL')]);
    server = await start();
    expect((await server.call('/dblock/locks/others')).body).toMatchObject({
      state: 'held',
      fencingToken: others.body['fencingToken'],
    });
    const kept = await server.call('/dblock/locks/survivor');
    expect(kept.body).toMatchObject({
      state: 'held',
      fencingToken: held.body['fencingToken'],
      expireTime: held.body['expireTime'],
      metadata: { job: 1 },
    });
    expect((await server.call('/dblock/locks/survivor/lease', json({ ttl: '1s' }))).status).toBe(409);
    const renewed = await server.call(
      `/dblock/locks/survivor/lease/${held.body['grantId']}`,
      json({ ttl: '2h' }, 'PATCH'),
    );
    expect(renewed).toMatchObject({ status: 200, body: { fencingToken: held.body['fencingToken'] } });
  });

  it('exits cleanly on SIGTERM', async () => {
    expect(await server.end('SIGTERM')).toEqual({ code: 0, signal: null });
  });
});

interface Sender {
  /** By what name it calls the server. */
  host?: string;
  method?: string;
  headers?: Record<string, string>;
}

/** The status of a request as only browsers send it: fetch() sets some headers by itself. */
function statusFor(
  { port }: StandaloneServer,
  path: string,
  { host = '127.0.0.1', method = 'GET', headers = {} }: Sender,
): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const options = {
      host: '127.0.0.1',
      port,
      path,
      method,
      headers: { ...headers, host: `${host}:${port}` },
    };
    request(options, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on('error', reject)
      .end();
  });
}
