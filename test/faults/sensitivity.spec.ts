import { describe, expect, it } from '@jest/globals';
import type { Lease } from 'nestjs-db-lock';
import { randomUUID } from 'node:crypto';
import { monotonicNow } from '../../libs/db-lock/src/lease/clock.js';
import { BRIEF } from '../../libs/db-lock/src/testing/context.js';
import { BlockingSession } from '../support/blocking-session.js';
import { until } from '../support/patience.js';
import { startPostgres } from '../support/postgres-server.js';
import { createTestDatabase } from '../support/test-database.js';
import { violationsOf, type Rule } from './history-checker.js';
import { Scene } from './scene.js';
import type { Tampering } from './tampering.js';

const NAME = 'tampered';

/** A statement of ours that lacks a safeguard, and what happens then. */
interface Fault {
  /** What the history checker must call it. */
  rule: Rule;
  when: string;
  tampering: Tampering;
  play: (scene: Scene, session: BlockingSession) => Promise<void>;
}

const waiters = (session: BlockingSession, count: number) =>
  until(`${count} wait for the row`, 10_000, async () => {
    await session.query('SELECT pg_stat_clear_snapshot()'); // else one transaction always sees the same
    const rows = await session.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    return rows.length >= count;
  });

/** Waits until the database's clock has passed that moment. */
const passes = (session: BlockingSession, time: Date) =>
  until('the time has passed', 10_000, async () => {
    const rows = await session.query('SELECT WHERE clock_timestamp() > $1', [time]);
    return rows.length > 0;
  });

/** A lock whose requests go with those for `NAME`: what is about several locks is another statement. */
const BESIDE = 'beside';

/** Both find the lock free, and then wait for its row. */
async function bothTryWhileItIsLocked({ ann, bob }: Scene, session: BlockingSession): Promise<void> {
  await session.lockRow(NAME);
  const acquiring = [ann, bob].map((client) => client.tryAcquire(NAME, { ttl: '60s' }));
  await waiters(session, 2);
  await session.letGo();
  await Promise.all(acquiring);
}

/** Both find the permit free, and then wait for the row. */
const bothAskForTheLastPermit =
  (...beside: string[]): Fault['play'] =>
  async ({ ann, bob }, session) => {
    for (const lockName of [NAME, ...beside]) await (await ann.acquire(lockName, { ttl: '60s' })).release();
    await session.lockRow(NAME);
    const acquiring = [ann, bob].flatMap((client) => [
      client.tryAcquire(NAME, { limit: 1, ttl: '60s' }),
      ...beside.map((lockName) => client.tryAcquire(lockName, { mode: 'shared', ttl: '60s' })),
    ]);
    await waiters(session, 2);
    await session.letGo();
    await Promise.all(acquiring);
  };

/** One is granted a share while another one's release has seen nobody else. */
const releasedBesideAGrant =
  (...beside: string[]): Fault['play'] =>
  async ({ ann, bob }, session) => {
    const shared = { mode: 'shared', ttl: '60s' } as const;
    const leases = [await ann.acquire(NAME, shared)];
    for (const lockName of beside) leases.push(await ann.acquire(lockName, shared));
    await session.lockRow(NAME);
    const second = bob.acquire(NAME, shared);
    await waiters(session, 1);
    const released = leases.map((lease) => lease.release().catch(() => undefined));
    await waiters(session, 2);
    await session.letGo();
    await Promise.all([second, ...released]);
    await ann.tryAcquire(NAME, { ttl: '60s' });
  };

/** One takes and releases a lock, then the other one. */
const bothTakeTurns =
  (...beside: string[]): Fault['play'] =>
  async ({ ann, bob }) => {
    for (const client of [ann, bob]) {
      const acquiring = [NAME, ...beside].map((lockName) => client.acquire(lockName, { ttl: '60s' }));
      for (const lease of await Promise.all(acquiring)) await lease.release();
    }
  };

/** A lease that followed on one that had expired: the shortcuts to free locks do not grant it. */
async function successorOfTheExpired({ ann }: Scene, session: BlockingSession): Promise<Lease> {
  await ann.acquire(NAME, { ttl: BRIEF });
  await session.awaitExpiry(NAME);
  return ann.acquire(NAME, { ttl: 3_000 });
}

/** A lease is released after its end, when somebody else has the lock. */
const releasedTooLate: Fault['play'] = async (scene, session) => {
  const lease = await scene.ann.acquire(NAME, { ttl: 3_000 });
  await session.awaitExpiry(NAME);
  const successor: Lease = await scene.bob.acquire(NAME, { ttl: '60s' });
  await lease.release().catch(() => undefined);
  await scene.recorder.use(successor);
};

const FAULTS: Fault[] = [
  {
    rule: 'overlap',
    when: 'a lock that looked free is not looked at again under its row lock',
    tampering: {
      pattern: /(EXCLUDED\.lock_time\) OR) lock\.grant_id IS NULL OR [^\n]+/,
      replacement: '$1 true',
    },
    async play(scene, session) {
      await scene.ann.acquire(NAME, { ttl: BRIEF });
      await session.awaitExpiry(NAME);
      await bothTryWhileItIsLocked(scene, session);
    },
  },
  {
    rule: 'overlap',
    when: 'who asks alone looks at a released lock without locking its row',
    tampering: {
      pattern:
        /lock\.ctid( AS row\s+FROM [^\n]+\s+WHERE lock\.lock_name = \$1[^]+)FOR NO KEY UPDATE([^]+)lock\.ctid =/,
      replacement: 'lock.lock_name$1$2lock.lock_name =',
    },
    async play(scene, session) {
      await (await scene.ann.acquire(NAME, { ttl: '60s' })).release();
      await bothTryWhileItIsLocked(scene, session);
    },
  },
  {
    rule: 'overlap',
    when: 'who asks alone for a new lock takes one that another one has made meanwhile',
    tampering: {
      pattern: /DO NOTHING/,
      replacement:
        'DO UPDATE SET grant_id = EXCLUDED.grant_id, token = greatest(lock.token + 1, EXCLUDED.token), lock_time = EXCLUDED.lock_time',
    },
    async play({ ann, bob }, session) {
      await session.query('BEGIN');
      await session.query(
        'INSERT INTO dblock_lock (lock_name, token, lock_time, expire_time) VALUES ($1, 1, now(), now())',
        [NAME],
      );
      const acquiring = [ann, bob].map((client) => client.tryAcquire(NAME, { ttl: '60s' }));
      await waiters(session, 2);
      await session.query('ROLLBACK');
      await Promise.all(acquiring);
    },
  },
  {
    rule: 'overlap',
    when: 'the shortcut to released locks does not look whether they are released',
    tampering: { pattern: /AND lock\.grant_id IS NULL(\s+AND \(lock\.expire_time <=)/, replacement: '$1' },
    async play({ ann, bob }) {
      await ann.acquire(NAME, { ttl: '60s' });
      await Promise.all([NAME, BESIDE].map((lockName) => bob.tryAcquire(lockName, { ttl: '60s' })));
    },
  },
  {
    rule: 'overlap',
    when: 'a set of locks is not undone when somebody else has taken one of them meanwhile',
    tampering: { pattern: /\(1 \/ \(lock\.token - lock\.token\)\)::text/, replacement: 'lock.worker_name' },
    async play(scene, session) {
      await (await scene.ann.acquire(NAME, { ttl: '60s' })).release();
      await session.lockRow(NAME);
      const acquiring = [scene.ann, scene.bob].map((client) => client.tryAcquireAll([NAME], { ttl: '60s' }));
      await waiters(session, 2);
      await session.letGo();
      await Promise.all(acquiring);
    },
  },
  {
    rule: 'token',
    when: 'a grant leaves the token as it was',
    tampering: { pattern: /greatest\(lock\.token \+ 1, .+?::bigint\)/, replacement: 'lock.token' },
    play: bothTakeTurns(),
  },
  {
    rule: 'token',
    when: 'a grant of one of several locks does',
    tampering: {
      pattern: /greatest\(lock\.token \+ 1, [^\n]*released\.now[^\n]*::bigint\)/,
      replacement: 'lock.token',
    },
    play: bothTakeTurns(BESIDE),
  },
  {
    rule: 'repeat',
    when: 'a repeat of an acquire makes a new lease',
    tampering: {
      pattern:
        /lock\.grant_id = EXCLUDED\.grant_id AND lock\.token = EXCLUDED\.token\s+AND lock\.expire_time > EXCLUDED\.lock_time(\) OR)?/g,
      replacement: (_match, where) => (where ? 'lock.grant_id = EXCLUDED.grant_id) OR' : 'false'),
    },
    async play({ ann, bob }) {
      const grantId = randomUUID();
      await ann.acquire(NAME, { ttl: '60s', grantId });
      await bob.acquire(NAME, { ttl: '60s', grantId });
    },
  },
  {
    rule: 'trust',
    when: 'a client is told of more time than its lease has left',
    tampering: {
      pattern: /clock_timestamp\(\)(\) \* 1000000\)::bigint::text AS server_time)/g,
      replacement: `clock_timestamp() - interval '9 s'$1`,
    },
    async play(scene, session) {
      const lease = await successorOfTheExpired(scene, session);
      await session.awaitExpiry(NAME);
      await scene.recorder.use(lease);
    },
  },
  {
    rule: 'overlap',
    when: 'the lease of who asked alone ends sooner than it is told',
    tampering: {
      pattern: /clock\.now \+ \$4::float8/,
      replacement: `clock.now - interval '50 s' + $4::float8`,
    },
    async play({ ann, bob }, session) {
      const { lockTime } = await ann.acquire(NAME, { ttl: '52s' });
      await passes(session, new Date(lockTime.getTime() + 2_000));
      await bob.tryAcquire(NAME, { ttl: '60s' });
    },
  },
  {
    rule: 'fence',
    when: 'such a client still writes after the next holder',
    tampering: {
      pattern: /clock_timestamp\(\)(\) \* 1000000\)::bigint::text AS server_time)/g,
      replacement: `clock_timestamp() - interval '9 s'$1`,
    },
    async play(scene, session) {
      const lease = await successorOfTheExpired(scene, session);
      await session.awaitExpiry(NAME);
      await scene.recorder.use(await scene.bob.acquire(NAME, { ttl: '60s' }));
      await scene.recorder.use(lease);
    },
  },
  {
    rule: 'trust',
    when: 'a late release frees the lock of the next holder',
    tampering: { pattern: /lock\.grant_id = request\.grant_id/, replacement: 'true' },
    play: releasedTooLate,
  },
  {
    rule: 'trust',
    when: 'a late release that comes alone does',
    tampering: { pattern: /lock\.grant_id = \$2::uuid/, replacement: '$$2::uuid IS NOT NULL' },
    play: releasedTooLate,
  },
  {
    rule: 'overlap',
    when: 'a late release hands the lock of the next holder on to who waits',
    tampering: { pattern: /passed\.grant_id = passed\.ended_grant_id/, replacement: 'true' },
    async play({ ann, bob, server }, session) {
      const grantId = randomUUID();
      await ann.acquire(NAME, { ttl: 3_000, grantId });
      await session.awaitExpiry(NAME);
      await bob.acquire(NAME, { ttl: 5_000 });
      let isGranted = false;
      const waiting = ann.acquire(NAME, { ttl: '60s', wait: '60s' }).finally(() => (isGranted = true));
      await until('somebody waits', 10_000, async () => {
        return (await session.query('SELECT FROM dblock_waiter')).length > 0;
      });
      // Again and again: a release while the waiter looks at the lock itself hands nothing on.
      await until('the lock comes free', 30_000, async () => {
        await server.release({ lockName: NAME, grantId });
        return isGranted;
      });
      await (await waiting).release();
    },
  },
  {
    rule: 'refusal',
    when: 'a live lease is not renewed',
    tampering: {
      pattern: /(SET expire_time = greatest[^]+)locked\.expire_time > clock_timestamp\(\)/,
      replacement: '$1 false',
    },
    async play({ ann }) {
      const lease = await ann.acquire(NAME, { ttl: '60s' });
      await lease.renew().catch(() => undefined);
    },
  },
  {
    rule: 'permits',
    when: 'permits are written that were counted before somebody else took some',
    tampering: { pattern: /WHERE lock\.version = \(SELECT before\.version FROM before\)/, replacement: '' },
    play: bothAskForTheLastPermit(),
  },
  {
    rule: 'permits',
    when: 'the same is written of several locks at once',
    tampering: { pattern: /WHERE lock\.version = request\.version/, replacement: '' },
    play: bothAskForTheLastPermit(BESIDE),
  },
  {
    rule: 'permits',
    when: 'permits are written without locking the row that they were counted by',
    tampering: {
      pattern: /FOR NO KEY UPDATE(\s*\) AS lock\s+WHERE lock\.version = \(SELECT before)/,
      replacement: '$1',
    },
    play: bothAskForTheLastPermit(),
  },
  {
    rule: 'permits',
    when: 'the same is written of several locks without locking their rows',
    tampering: {
      pattern: /FOR NO KEY UPDATE(\s*\) AS lock\s+WHERE lock\.version = request\.version)/,
      replacement: '$1',
    },
    play: bothAskForTheLastPermit(BESIDE),
  },
  {
    rule: 'overlap',
    when: 'a release frees the lock by a stale look at those who share it',
    tampering: {
      pattern: /locked\.version = \(SELECT [^\n]+ AS is_current/,
      replacement: 'true AS is_current',
    },
    play: releasedBesideAGrant(),
  },
  {
    rule: 'overlap',
    when: 'a release of several locks does so',
    tampering: { pattern: /WHERE timed\.lock_version = timed\.known_version\s+AND/, replacement: 'WHERE' },
    play: releasedBesideAGrant(BESIDE),
  },
  {
    rule: 'overlap',
    when: 'a shared lease is renewed, and its lock is not kept for as long',
    tampering: {
      pattern: /greatest\(lock\.expire_time, longest\.expire_time\)/,
      replacement: 'lock.expire_time',
    },
    async play({ ann, bob }, session) {
      const lease = await ann.acquire(NAME, { mode: 'shared', ttl: BRIEF });
      const { expireTime } = lease;
      await lease.renew('60s');
      await passes(session, expireTime);
      await bob.tryAcquire(NAME, { ttl: '60s' });
    },
  },
  {
    rule: 'revival',
    when: 'an operator leaves the rows of holders, and the next grant does not take them away',
    tampering: {
      pattern: /(?:concerned|seen)\.is_vacant OR |holder\.grant_id = ended\.grant_id(?=\s+\),)/g,
      replacement: (match) => (match.endsWith(' OR ') ? '' : `${match} AND false`),
    },
    async play({ ann, bob, server, recorder }) {
      const lease = await ann.acquire(NAME, { mode: 'shared', ttl: '60s' });
      recorder.releasing(lease, monotonicNow()); // by the operator
      await server.desk.forceRelease({ lockName: NAME, actor: 'eve', reason: 'it hung' });
      await bob.acquire(NAME, { limit: 1, ttl: '60s' });
    },
  },
  {
    rule: 'token',
    when: 'a downgrade leaves the token as it was',
    tampering: { pattern: /(SET grant_id = [^,\n]+), token = greatest\([^\n]+/, replacement: '$1' },
    async play({ ann }) {
      await (await ann.acquire(NAME, { ttl: '60s' })).downgrade();
    },
  },
  {
    rule: 'busy',
    when: 'the permits of a lease that has expired still count',
    tampering: {
      pattern: /AND [^\n]+ > (?:statement_timestamp\(\)(\s*\) AS taken)|timed\.now(\s*\) END AS taken))/,
      replacement: '$1$2',
    },
    async play({ ann, bob, recorder }, session) {
      const { expireTime } = await ann.acquire(NAME, { limit: 2, ttl: BRIEF, keepAlive: false });
      const beside = await bob.acquire(NAME, { mode: 'shared', ttl: '60s' });
      await passes(session, expireTime);
      await recorder.use(beside); // tells the clock
      await ann.tryAcquire(NAME, { limit: 2, ttl: '60s' });
    },
  },
];

describe('the history checker calls it', () => {
  it.each(FAULTS)('$rule when $when', async ({ tampering, rule, play }) => {
    const [tampered, whole] = await Promise.all([rulesBrokenBy(play, tampering), rulesBrokenBy(play)]);
    expect(tampered).toContain(rule);
    expect(whole).toEqual([]);
  });

  async function rulesBrokenBy(play: Fault['play'], ...tamperings: Tampering[]): Promise<string[]> {
    const database = await createTestDatabase();
    const scene = await Scene.open(database.url, ...tamperings);
    const session = await BlockingSession.open(database.url);
    try {
      await play(scene, session);
      return violationsOf(await scene.recorder.complete()).map(({ rule }) => rule);
    } finally {
      await session.close();
      await scene.close();
      await database.drop();
    }
  }

  it.each([
    { called: 'forgotten when a grant is told', durable: 'off', rules: ['forgotten', 'overlap'] },
    { called: 'nothing when a grant is not told', durable: 'on', rules: [] },
  ])('$called before it is durable, and the database crashes', async ({ durable, rules }) => {
    const server = await startPostgres({ settings: { wal_writer_delay: '10s' } });
    const scene = await Scene.open(server.url, {
      pattern: /(set_config\('synchronous_commit'), CASE .+ END,/,
      replacement: `$1, '${durable}',`,
    });
    try {
      await scene.ann.acquire(NAME, { ttl: '60s' });
      await server.kill();
      await server.restart();
      await scene.recorder.look();
      await scene.bob.tryAcquire(NAME, { ttl: '60s' });
      const violations = violationsOf(await scene.recorder.complete());
      expect([...new Set(violations.map(({ rule }) => rule))].sort()).toEqual(rules);
    } finally {
      await scene.close();
      await server.stop();
    }
  });
});
