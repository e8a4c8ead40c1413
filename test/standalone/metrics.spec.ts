import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { until } from '../support/patience.js';
import { readPromql } from '../support/promql.js';
import { describeWithRedis } from '../support/redis-server.js';
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
      return (await scrape()).get(`db_lock_server_waiters{${feature}}`) === 1;
    });
    const during = await scrape();
    expect(during.get(`db_lock_server_wait_oldest_seconds{${feature}}`)).toBeGreaterThan(0);
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
    expect(after.get(`db_lock_server_waiters{${feature}}`)).toBe(0);
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

describeWithRedis('the dashboard and the alerts for Prometheus', (redis) => {
  let directory: string;
  /** The labels of each metric that is told. */
  const told = new Map<string, Set<string>>();

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'db-lock-dashboard-'));
    await using server = await StandaloneServer.start({ DB_LOCK_DATA_DIR: directory, REDIS_URL: redis.url });
    const path = '/dblock/locks/seen/lease';
    const lease = await server.call(path, json({ ttl: '1h' }));
    const waiting = server.call(path, json({ ttl: '1h', wait: '60s' }));
    await until('somebody waits', 30_000, async () => {
      return (await server.call('/dblock/locks/seen')).body['waiting'] === 1;
    });
    await server.call(`${path}/${lease.body['grantId']}`, { method: 'DELETE' });
    await waiting;
    for (const series of samplesIn(await (await fetch(`${server.origin}/metrics`)).text()).keys()) {
      const [metric, labels = ''] = series.split(/[{}]/);
      const names = [...labels.matchAll(/(\w+)="/g)].map(([, name]) => name!);
      told.set(metric!, new Set(['job', 'instance', ...names]));
    }
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  const read = (path: string) => readFile(new URL(`../../deploy/${path}`, import.meta.url), 'utf8');

  /** Whether all is told that the expressions ask for, by the labels that they ask by. */
  function expectTold(expressions: string[]): void {
    expect(told.size).toBeGreaterThan(20);
    expect(expressions.length).toBeGreaterThan(5);
    for (const expression of expressions) {
      const { asked, groups } = readPromql(expression);
      const labels = new Set<string>();
      for (const { metric, labels: matched } of asked) {
        expect([...told.keys()]).toContain(metric);
        const known = [...told.get(metric)!];
        expect(known).toEqual(expect.arrayContaining(matched));
        for (const label of known) labels.add(label);
      }
      expect(asked).not.toEqual([]);
      expect([...labels]).toEqual(expect.arrayContaining(groups));
    }
  }

  it('alerts ask for what there is', async () => {
    const { groups } = parse(await read('prometheus/db-lock.rules.yml')) as {
      groups: Array<{ rules: Array<{ alert: string; expr: string; annotations: object }> }>;
    };
    const rules = groups.flatMap((group) => group.rules);
    expectTold(rules.map(({ expr }) => expr));
    for (const { annotations } of rules) expect(Object.keys(annotations)).toEqual(['summary', 'description']);
  });

  it('the dashboard asks for what there is, and shows waiters and lost leases', async () => {
    const { panels, templating } = JSON.parse(await read('grafana/db-lock.json')) as {
      panels: Array<{ title: string; id: number; targets?: Array<{ expr: string }> }>;
      templating: { list: Array<{ name: string; query: string | { query: string } }> };
    };
    const variables = templating.list.flatMap(({ query }) =>
      typeof query === 'string' ? [] : [query.query],
    );
    const selectors = variables.map((query) => /^label_values\((.*), \w+\)$/.exec(query)![1]!);
    const filledIn = [
      ...panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
      ...selectors,
    ].map((expr) => expr.replaceAll('$__rate_interval', '5m'));
    const names = templating.list.map(({ name }) => name);
    for (const [, name] of filledIn.join().matchAll(/\$(\w+)/g)) expect(names).toContain(name);
    expectTold(filledIn);
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const shown = filledIn.join();
    for (const metric of ['db_lock_server_waiters{', 'db_lock_server_leases_lost_total{'])
      expect(shown).toContain(metric);
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
