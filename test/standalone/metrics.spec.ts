import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../support/patience.js';
import { StandaloneServer } from '../support/standalone-server.js';
import { json } from './contract.js';

const TOKEN = 'a-token-for-metrics';

describe('the metrics of the standalone server', () => {
  let directory: string;
  let server: StandaloneServer;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'db-lock-metrics-'));
    server = await start({ DB_LOCK_API_TOKEN: TOKEN });
  });
  afterAll(async () => {
    await server.end();
    await rm(directory, { recursive: true, force: true });
  });

  const start = (environment: Record<string, string>) =>
    StandaloneServer.start({ DB_LOCK_DATA_DIR: directory, ...environment });

  const authorization = `Bearer ${TOKEN}`;
  const call = (path: string, init: RequestInit) =>
    server.call(path, { ...init, headers: { ...init.headers, authorization } });

  /** What Prometheus would read. */
  async function scrape(): Promise<Map<string, number>> {
    const response = await fetch(`${server.origin}/metrics`, { headers: { authorization } });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    return samplesIn(await response.text());
  }

  it('are for those who may call the API', async () => {
    const anonymous = await fetch(`${server.origin}/metrics`);
    expect(anonymous.status).toBe(401);
    expect(anonymous.headers.get('www-authenticate')).toContain('Bearer');
    expect(await anonymous.text()).not.toContain('db_lock_server');
    const page = { authorization, 'sec-fetch-site': 'cross-site' };
    expect((await fetch(`${server.origin}/metrics`, { headers: page })).status).toBe(403);
  });

  it('show what goes on: grants, refusals, who waits, statements', async () => {
    const path = '/dblock/locks/told/lease';
    const lease = await call(path, json({ ttl: '1h' }));
    expect((await call(path, json({ ttl: '1h' }))).status).toBe(409);
    const waiting = call(path, json({ ttl: '1h', wait: '60s' }));
    const feature = 'db_lock_feature="dblock"';
    await until('somebody waits', 30_000, async () => {
      return (await scrape()).get(`db_lock_server_waiters_count{${feature}}`) === 1;
    });
    const during = await scrape();
    expect(during.get(`db_lock_server_waiters_oldest_seconds{${feature}}`)).toBeGreaterThan(0);
    expect(during.get(`db_lock_server_locks_held{${feature}}`)).toBe(1);
    await call(`${path}/${lease.body['grantId']}`, { method: 'DELETE' });
    const next = await waiting;
    await call(`${path}/${next.body['grantId']}`, { method: 'DELETE' });

    const after = await scrape();
    const acquires = (outcome: string) =>
      after.get(
        `db_lock_server_acquires_total{${feature},db_lock_mode="exclusive",db_lock_outcome="${outcome}"}`,
      );
    expect(acquires('granted')).toBe(2);
    expect(acquires('busy')).toBe(1);
    expect(after.get(`db_lock_server_waiters_count{${feature}}`)).toBe(0);
    expect(after.get(`db_lock_server_leases_lost_total{${feature},db_lock_reason="late"}`)).toBe(0);
    expect(after.get(`db_lock_server_hold_duration_seconds_count{${feature}}`)).toBe(2);
    expect(after.get(`db_lock_server_hold_duration_seconds_bucket{${feature},le="+Inf"}`)).toBe(2);
    const statements = `${feature},db_lock_kind="acquire",db_lock_outcome="answered"`;
    expect(after.get(`db_lock_statement_duration_seconds_count{${statements}}`)).toBeGreaterThan(0);
    expect([...after.keys()].join('\n')).not.toContain('told');
  });

  it('are said where everything is, and can be switched off', async () => {
    expect(server.stderr).toContain(`Metrics    ${server.origin}/metrics\n`);
    await using silent = await start({ DB_LOCK_METRICS: 'false' });
    expect((await silent.call('/metrics')).status).toBe(404);
    expect((await silent.call('/')).body['metrics']).toBeNull();
    expect(silent.stderr).not.toContain('/metrics');
  });
});

/** The samples of a text in the format of Prometheus, each by its name and labels. */
function samplesIn(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const [, series, value] = /^([a-z_]+(?:\{.*\})?) (\S+)$/.exec(line)!;
      return [series!, Number(value)];
    }),
  );
}
