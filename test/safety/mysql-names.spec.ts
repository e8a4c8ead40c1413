import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { LockStore } from '../../libs/db-lock/src/store/lock-store.js';
import { describeWithMariadb, startMariadb, type MariadbServer } from '../support/mariadb-server.js';
import { openMariadbHosts, requestOf, type MariadbHost } from '../support/mariadb-stores.js';

const ODD_NAMES = [
  'job',
  'job ',
  'Job',
  'jöb',
  'jo\u0308b',
  'job\t',
  "it's",
  "''; DROP TABLE dblock_lock; -- ",
  '\\',
  "\\'",
  "'\\",
  '\\\\',
  '"quoted"',
  '`ticks`',
  'a?b:c@d',
  '%_',
  '/* comment */',
  '\n\r\u001a\b',
  '漢字',
  '😀',
  'ﬀ\u{10ffff}\u{e000}',
  '😀'.repeat(127),
  'x'.repeat(255),
  ' ',
  '0',
  'NULL',
];

/** Metadata of 8 KiB, nearly all of which SQL must quote. */
const METADATA = { text: `'\\"`.repeat(1_600) };

/** A server that reads texts and assignments in other ways than ours, unless a session says otherwise. */
describeWithMariadb('On a MariaDB with settings of its own', () => {
  let server: MariadbServer;
  let hosts: MariadbHost[];
  let store: LockStore;

  beforeAll(async () => {
    server = await startMariadb({
      'sql-mode':
        'NO_BACKSLASH_ESCAPES,ANSI_QUOTES,SIMULTANEOUS_ASSIGNMENT,PIPES_AS_CONCAT,EMPTY_STRING_IS_NULL',
      'max-allowed-packet': '1M',
      'character-set-server': 'latin1',
      'transaction-isolation': 'SERIALIZABLE',
      'default-time-zone': '+05:30',
      autocommit: '0',
      'completion-type': 'CHAIN',
    });
    const { url } = await server.createDatabase();
    hosts = await openMariadbHosts(url, 2);
    store = hosts[0]!.store;
  });

  afterAll(async () => {
    for (const { app } of hosts ?? []) await app.close();
    await server?.stop();
  });

  const outcomes = (answers: ReadonlyArray<{ outcome: string }>) => [
    ...new Set(answers.map(({ outcome }) => outcome)),
  ];

  describe.each([
    ['all at once', ODD_NAMES.length],
    ['one after the other', 1],
  ])('names that hold anything, %s,', (_, size) => {
    const batches = <Item>(items: readonly Item[]): Item[][] =>
      Array.from({ length: Math.ceil(items.length / size) }, (__, at) =>
        items.slice(at * size, (at + 1) * size),
      );

    it('are locks of their own: granted, renewed, passed on, released', async () => {
      const workerName = (lockName: string) => lockName;
      const metadata = (lockName: string) => ({ lockName });
      const requests = ODD_NAMES.map((lockName) => ({
        ...requestOf(lockName),
        workerName: workerName(lockName),
        metadata: metadata(lockName),
      }));
      const began = Date.now();
      for (let round = 0; round < 2; round++) {
        const grants = requests.map((request) => ({ ...request, grantId: randomUUID() }));
        for (const batch of batches(grants)) {
          const answers = await store.acquire(batch);
          expect(answers).toMatchObject(
            batch.map(({ lockName, grantId }) => ({
              outcome: 'granted',
              lease: { lockName, grantId, workerName: lockName, metadata: { lockName } },
              repeated: false,
            })),
          );
          for (const answer of answers)
            if (answer.outcome === 'granted')
              expect(Math.abs(answer.lease.lockTime.getTime() - began)).toBeLessThan(60_000);
          expect(await store.acquire(batch)).toMatchObject(
            batch.map(() => ({ outcome: 'granted', repeated: true })),
          );
          const others = batch.map((request) => ({ ...request, grantId: randomUUID() }));
          expect(await hosts[1]!.store.acquire(others)).toMatchObject(
            batch.map(({ lockName, grantId }) => ({
              outcome: 'busy',
              holder: { workerName: lockName, grantId },
            })),
          );
          expect(outcomes(await store.renew(batch))).toEqual(['renewed']);
          const [tickets] = [
            await store.queue!.join(
              randomUUID(),
              others.map((one) => ({ ...one, ticket: null })),
            ),
          ];
          const inspected = await store.inspect(batch.map(({ lockName }) => lockName));
          expect(inspected).toMatchObject(
            batch.map(({ lockName }) => ({
              lockName,
              state: 'held',
              waiting: 1,
              queue: [{ workerName: lockName }],
            })),
          );
          const passed = await store.queue!.pass(
            randomUUID(),
            batch.map(({ lockName, grantId }, index) => ({
              lockName,
              grantId,
              successor: { ...others[index]!, ticket: tickets[index]! },
            })),
          );
          expect(outcomes(passed)).toEqual(['passed']);
          expect(await store.inspect(batch.map(({ lockName }) => lockName))).toMatchObject(
            batch.map(() => ({ waiting: 0, queue: [] })),
          );
          expect(outcomes(await store.release(batch))).toEqual(['lost']);
          expect(outcomes(await store.release(others))).toEqual(['released']);
        }
      }
    });
  });

  it('and sets, holds, edits, forced releases and the history have them as they are', async () => {
    const requests = ODD_NAMES.map((lockName) => ({
      ...requestOf(`set:${lockName}`.slice(0, 255)),
      lockName,
    }));
    const grantId = randomUUID();
    expect((await store.acquireSet(requests.map((one) => ({ ...one, grantId })))).outcome).toBe('granted');
    await store.release(requests.map(({ lockName }) => ({ lockName, grantId })));
    for (const lockName of ODD_NAMES) {
      const held = await store.desk.hold({
        ...requestOf(lockName),
        workerName: lockName,
        metadata: { lockName },
        actor: lockName,
        reason: lockName,
      });
      if (held.outcome !== 'held') throw new Error(`${lockName} is ${held.outcome}`);
      const edited = await store.desk.edit({
        lockName,
        fencingToken: held.lease.fencingToken,
        ttl: 5_000,
        metadata: { now: lockName },
        actor: lockName,
        reason: lockName,
      });
      expect(edited).toMatchObject({ outcome: 'edited', lease: { metadata: { now: lockName } } });
      expect(await store.desk.forceRelease([{ lockName, actor: lockName, reason: lockName }])).toMatchObject([
        { outcome: 'forced', holders: [{ workerName: lockName }] },
      ]);
      const details = { metadata: { from: { lockName }, to: { now: lockName } } };
      expect(await store.history.of(lockName, { limit: 3 })).toMatchObject([
        { event: 'forced', workerName: lockName, actor: lockName, reason: lockName },
        { event: 'edited', details },
        { event: 'created', details: null },
      ]);
      expect(await store.desk.count({ search: lockName.toLowerCase(), prefix: lockName })).toBeGreaterThan(0);
    }
  });

  it('a batch above max_allowed_packet goes in several packets', async () => {
    const requests = Array.from({ length: 256 }, (_, index) => ({
      ...requestOf(`${String(index).padStart(5, '0')}${'😀'.repeat(125)}`),
      metadata: { ...METADATA, index },
      workerName: '😀'.repeat(127),
    }));
    for (let round = 0; round < 2; round++) {
      const grants = requests.map((request) => ({ ...request, grantId: randomUUID() }));
      const answers = await store.acquire(grants);
      expect(outcomes(answers)).toEqual(['granted']);
      expect(answers[255]).toMatchObject({ lease: { metadata: { index: 255 } } });
      expect(outcomes(await store.renew(grants))).toEqual(['renewed']);
      const waiters = grants.map((one) => ({ ...one, grantId: randomUUID(), ticket: null }));
      const tickets = await store.queue!.join(randomUUID(), waiters);
      expect(new Set(tickets).size).toBeGreaterThan(1);
      await store.queue!.leave(waiters.map((waiter, index) => ({ ...waiter, ticket: tickets[index]! })));
      const successors = grants.map((one) => ({ ...one, grantId: randomUUID(), ticket: 1 }));
      const passed = await store.queue!.pass(
        randomUUID(),
        grants.map(({ lockName, grantId }, index) => ({ lockName, grantId, successor: successors[index]! })),
      );
      expect(outcomes(passed)).toEqual(['passed']);
      expect(
        await store.queue!.freed!(
          randomUUID(),
          requests.map(({ lockName }) => lockName),
        ),
      ).toEqual([]);
      expect(outcomes(await store.release(successors))).toEqual(['released']);
    }
    const entries = requests.map(({ lockName, workerName, metadata }) => ({
      lockName,
      event: 'acquired' as const,
      workerName,
      grantId: randomUUID(),
      fencingToken: 1,
      details: metadata,
      age: 0,
      time: null,
    }));
    await store.history.record(entries);
    expect(await store.history.of(requests[255]!.lockName, { limit: 1 })).toMatchObject([
      { event: 'acquired', details: { index: 255 } },
    ]);
  });
});
