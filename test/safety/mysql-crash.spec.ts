import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { StoreUnavailableError } from 'nestjs-db-lock';
import { randomInt } from 'node:crypto';
import { DataSource } from 'typeorm';
import type { AcquireRequest } from '../../libs/db-lock/src/lease/requests.js';
import type { LeaseRecord } from '../../libs/db-lock/src/store/lock-store.js';
import { Connections, TookTooLongError } from '../../libs/db-lock/src/store/mysql/connections.js';
import { describeWithMariadb, startMariadb, type MariadbServer } from '../support/mariadb-server.js';
import { openMariadbHosts, requestOf, type MariadbHost } from '../support/mariadb-stores.js';
import { until } from '../support/patience.js';

const NAMES = Array.from({ length: 30 }, (_, index) => `hot:${index}`);

const KILLS = 3;

const TTL = 3_600_000;

const PATIENCE = 30_000;

const isUnavailable = (error: unknown) => error instanceof StoreUnavailableError;

/**
 * The answers of a store, which is asked the same again until it gives some: where the machine stands still, it may take longer than a
 * statement may.
 */
async function answersTo<Answer extends object | null>(ask: () => Promise<Answer[]>): Promise<Answer[]> {
  let answers: Answer[] | undefined;
  await until('the store answers', PATIENCE, async () => {
    answers = await ask().catch((error: unknown) => {
      if (!isUnavailable(error)) throw error;
      return undefined;
    });
    return answers?.every((answer) => !(answer && 'error' in answer && isUnavailable(answer.error))) ?? false;
  });
  return answers!;
}

describeWithMariadb('A MariaDB that fails', () => {
  let server: MariadbServer;
  let hosts: MariadbHost[];

  beforeAll(async () => {
    server = await startMariadb();
    const { url } = await server.createDatabase();
    hosts = await openMariadbHosts(url, 4, { statementTimeout: '1s' });
  });

  afterAll(async () => {
    for (const { app } of hosts) await app.close();
    await server.stop();
  });

  const answers = () =>
    until('the store answers', PATIENCE, () =>
      Promise.all(hosts.map(({ store }) => store.ping())).then(
        () => true,
        () => false,
      ),
    );

  it('loses no acknowledged grant and grants none twice when it is killed under load', async () => {
    const held = new Map<string, LeaseRecord>();
    const unknown: AcquireRequest[] = [];
    const faults: string[] = [];
    const tokens = new Map<string, number>();
    let isKilled = false;
    let acknowledged = 0;

    const begin = (lease: LeaseRecord) => {
      acknowledged++;
      const { lockName, fencingToken } = lease;
      if (held.has(lockName)) faults.push(`${lockName} was granted twice`);
      if (fencingToken <= (tokens.get(lockName) ?? 0)) faults.push(`${lockName} has an old token`);
      tokens.set(lockName, fencingToken);
      held.set(lockName, lease);
    };

    /** Takes and releases locks until the server is killed; of what is asked just then, the outcome is unknown. */
    const load = async ({ store }: MariadbHost) => {
      while (!isKilled) {
        const names = new Set(Array.from({ length: 4 }, () => NAMES[randomInt(NAMES.length)]!));
        const asked = [...names].map((lockName) => requestOf(lockName, TTL));
        const got = await store.acquire(asked);
        const leases: LeaseRecord[] = [];
        got.forEach((answer, index) => {
          if (answer.outcome === 'granted') leases.push(answer.lease);
          if (answer.outcome === 'error') {
            expect(answer.error).toBeInstanceOf(StoreUnavailableError);
            unknown.push(asked[index]!);
          }
        });
        leases.forEach(begin);
        const ending = leases.filter(() => randomInt(10) > 0 && !isKilled);
        for (const { lockName } of ending) held.delete(lockName);
        if (ending.length > 0)
          await store.release(ending.map(({ lockName, grantId }) => ({ lockName, grantId })));
      }
    };

    for (let kill = 0; kill < KILLS; kill++) {
      isKilled = false;
      const before = acknowledged;
      const loads = hosts.map(load);
      await until('there is a load', PATIENCE, () => acknowledged > before + 20);
      await server.kill();
      isKilled = true;
      await Promise.all(loads);
      await server.restart();
      await answers();
      const { store } = hosts[0]!;
      for (const lease of held.values()) {
        const [lock] = await answersTo(() => store.inspect([lease.lockName]));
        if (lock?.state !== 'held' || lock.fencingToken !== lease.fencingToken)
          faults.push(`the grant of ${lease.lockName} is lost`);
      }
      // Who has no answer asks again with the same grantId; then it is told whether it had happened.
      for (const request of unknown.splice(0)) {
        const [answer] = await answersTo(() => store.acquire([request]));
        if (answer?.outcome === 'error') faults.push(String(answer.error));
        if (answer?.outcome === 'granted') begin(answer.lease);
      }
      await answersTo(() =>
        store.desk.forceRelease(NAMES.map((lockName) => ({ lockName, actor: 'test', reason: 'next round' }))),
      );
      held.clear();
    }
    expect(faults).toEqual([]);
    expect(acknowledged).toBeGreaterThan(20 * KILLS);
  }, 120_000);

  it('that stands still gives errors, neither busy nor lost, and serves again when it goes on', async () => {
    const { store } = hosts[0]!;
    const request = requestOf('standing', TTL);
    expect(await answersTo(() => store.acquire([request]))).toMatchObject([{ outcome: 'granted' }]);
    await server.pause();
    const { lockName, grantId } = request;
    const answers = await Promise.all([
      store.acquire([requestOf('standing')]),
      store.renew([{ lockName, grantId, ttl: TTL }]),
      store.release([{ lockName, grantId }]),
    ]).finally(() => server.resume());
    expect(answers.flat().map(({ outcome }) => outcome)).toEqual(['error', 'error', 'error']);
    await answersTo(() => store.acquire([requestOf('afterwards')]));
  });

  it('ends what it still ran when its client gave up', async () => {
    const running = async () => {
      const rows = await server.query(
        "SELECT 1 FROM information_schema.PROCESSLIST WHERE INFO LIKE '%SLEEP(600)%' AND ID <> CONNECTION_ID()",
      );
      return rows.length > 0;
    };
    const { url } = await server.createDatabase();
    const application = await new DataSource({ type: 'mariadb', url }).initialize();
    const connections = await Connections.open(application, { statement: 60_000, rowLock: 1_000 });
    const connection = await connections.take();
    await expect(connection.send(['SELECT SLEEP(600)'], 200)).rejects.toThrow(TookTooLongError);
    await until('it runs', PATIENCE, running);
    await connections.end(connection);
    await until('nothing runs any more', PATIENCE, async () => !(await running()));
    await connections.close();
    await application.destroy();
  });
});
