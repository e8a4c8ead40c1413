import { expect, it } from '@jest/globals';
import { until } from '../support/patience.js';
import type { StandaloneServer } from '../support/standalone-server.js';

export const json = (body: unknown, method = 'POST'): RequestInit => ({
  method,
  headers: { 'content-type': 'application/json' },
  body: typeof body === 'string' ? body : JSON.stringify(body),
});

/** What the server does by both of its contracts, whatever its database. */
export function keepsTheContract(server: () => StandaloneServer): void {
  it("grants by django-db-lock's contract once", async () => {
    const path = '/dblock/acquireLock?lockName=a&workerName=w&timeout=600';
    expect((await server().call(path)).body).toEqual({ success: true, result: true });
    expect((await server().call(path)).body).toEqual({ success: true, result: false });
  });

  it('grants by REST with a token that grows', async () => {
    const first = await server().call('/dblock/locks/rest/lease', json({ ttl: '30s' }));
    expect(first.status).toBe(201);
    expect((await server().call('/dblock/locks/rest/lease', json({ ttl: '30s' }))).status).toBe(409);
    const release = await server().call(`/dblock/locks/rest/lease/${first.body['grantId']}`, {
      method: 'DELETE',
    });
    expect(release.status).toBe(204);
    const second = await server().call('/dblock/locks/rest/lease', json({ ttl: '30s' }));
    expect(Number(second.body['fencingToken'])).toBeGreaterThan(Number(first.body['fencingToken']));
  });

  it('lets callers wait for each other, and shows who waits', async () => {
    const path = '/dblock/locks/wait/lease';
    const first = await server().call(path, json({ ttl: '1h', workerName: 'first' }));
    const waiting = server().call(path, json({ ttl: '30s', wait: '60s', workerName: 'second' }));
    await until('the second waits', 30_000, async () => {
      return (await server().call('/dblock/locks/wait')).body['waiting'] === 1;
    });
    expect((await server().call('/dblock/locks/wait')).body['queue']).toEqual([
      { workerName: 'second', since: expect.any(String), mode: 'exclusive' },
    ]);
    await server().call(`${path}/${first.body['grantId']}`, { method: 'DELETE' });
    expect(await waiting).toMatchObject({ status: 201, body: { workerName: 'second' } });
  });

  it('is live and ready', async () => {
    expect(await server().call('/health/live')).toMatchObject({ status: 200, body: { status: 'ok' } });
    expect(await server().call('/health/ready')).toMatchObject({
      status: 200,
      body: { status: 'ok', details: { database: { status: 'up' } } },
    });
  });
}
