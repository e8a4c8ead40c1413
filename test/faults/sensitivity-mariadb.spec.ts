import { expect, it } from '@jest/globals';
import type { LockClient } from 'nestjs-db-lock';
import { randomUUID } from 'node:crypto';
import { BRIEF } from '../../libs/db-lock/src/testing/context.js';
import { createMariadbDatabase, describeWithMariadb } from '../support/mariadb-server.js';
import { MariadbSession } from '../support/mariadb-session.js';
import { until } from '../support/patience.js';
import { GuardedMemory } from './guarded-memory.js';
import { violationsOf, type Rule } from './history-checker.js';
import { MariadbWitness } from './mariadb-witness.js';
import { Scene } from './scene.js';
import { PATIENT, tamperedMariadb } from './tampered-mariadb.js';
import type { Tampering } from './tampering.js';

const NAME = 'tampered';

const PATIENCE = 30_000;

/** A packet of ours that lacks a safeguard, and what happens then. */
interface Fault {
  /** What the history checker must call it. */
  rule: Rule;
  when: string;
  tampering: Tampering;
  /** It counts who waits for a row: of the whole server. */
  isAlone?: true;
  play: (scene: Scene, session: MariadbSession) => Promise<void>;
}

/**
 * Refused until it looks at a lock first, instead of trying the shortcut to released ones: that waits for the row itself, and only then looks,
 * at what the other one has made of it.
 */
async function looksFirst(...clients: LockClient[]): Promise<void> {
  const lease = await clients[0]!.acquire('held', { ttl: '60s' });
  for (const client of clients)
    for (let tries = 0; tries < TRIES; tries++) await client.tryAcquire('held', { ttl: '60s' });
  await lease.release();
}

/** After so many that it did not answer, the shortcut is left alone for a while. */
const TRIES = 5;

const isOver = ({ expireTime }: { expireTime: Date }) =>
  until('the lease runs out', PATIENCE, () => Date.now() > expireTime.getTime());

const FAULTS: Fault[] = [
  {
    rule: 'overlap',
    when: 'a lock that looked free is not looked at again under its row lock',
    tampering: { pattern: /WHEN grant_id IS NULL OR .+? THEN/, replacement: 'WHEN TRUE THEN' },
    isAlone: true,
    async play({ ann, bob }, session) {
      await isOver(await ann.acquire(NAME, { ttl: BRIEF, keepAlive: false }));
      await looksFirst(ann, bob);
      await session.lockRow(NAME);
      const acquiring = [ann, bob].map((client) => client.tryAcquire(NAME, { ttl: '60s' }));
      await session.awaitWaiters(2);
      await session.letGo();
      await Promise.all(acquiring);
    },
  },
  {
    rule: 'overlap',
    when: 'the shortcut to released locks does not look whether they are released',
    tampering: { pattern: /AND grant_id IS NULL(\s+AND \(expire_time <=)/, replacement: '$1' },
    async play({ ann, bob }) {
      await ann.acquire(NAME, { ttl: '60s' });
      await bob.tryAcquire(NAME, { ttl: '60s' });
    },
  },
  {
    rule: 'overlap',
    when: 'a late release hands the lock of the next holder on to who waits',
    tampering: {
      pattern: /grant_id = \S+ AND expire_time > @begun/,
      replacement: 'expire_time > @begun',
    },
    async play({ ann, bob, server }, session) {
      const grantId = randomUUID();
      await isOver(await ann.acquire(NAME, { ttl: BRIEF, grantId, keepAlive: false }));
      await bob.acquire(NAME, { ttl: 5_000, keepAlive: false });
      let isGranted = false;
      const waiting = ann.acquire(NAME, { ttl: '60s', wait: '60s' }).finally(() => (isGranted = true));
      await until('somebody waits', PATIENCE, async () => {
        return (await session.query('SELECT 1 FROM dblock_waiter')).length > 0;
      });
      // Again and again: a release while the waiter looks at the lock itself hands nothing on.
      await until('the lock comes free', PATIENCE, async () => {
        await server.release({ lockName: NAME, grantId });
        return isGranted;
      });
      await (await waiting).release();
    },
  },
  {
    rule: 'token',
    when: 'a grant leaves the token as it was',
    tampering: { pattern: /GREATEST\(token \+ 1, lock_time\)/, replacement: 'token' },
    async play({ ann, bob }) {
      await (await ann.acquire(NAME, { ttl: '60s' })).release();
      await (await bob.acquire(NAME, { ttl: '60s' })).release();
    },
  },
  {
    rule: 'trust',
    when: 'a late release frees the lock of the next holder',
    tampering: { pattern: /AND grant_id = [^\n]+(\s+AND CAST\(row_version)/, replacement: '$1' },
    async play({ ann, bob, recorder }) {
      const lease = await ann.acquire(NAME, { ttl: BRIEF, keepAlive: false });
      await isOver(lease);
      const successor = await bob.acquire(NAME, { ttl: '60s' });
      await lease.release().catch(() => undefined);
      await recorder.use(successor);
    },
  },
  {
    rule: 'refusal',
    when: 'a live lease is not renewed',
    tampering: { pattern: /(COALESCE\([^\n]+token\)\s+)AND expire_time > @now/, replacement: '$1AND FALSE' },
    async play({ ann }) {
      const lease = await ann.acquire(NAME, { ttl: '60s' });
      await lease.renew().catch(() => undefined);
    },
  },
  {
    rule: 'permits',
    when: 'permits are counted by a snapshot from before the row was locked',
    tampering: {
      pattern: /'READ-COMMITTED'|START TRANSACTION(?=;\s+INSERT)/,
      replacement: (match: string) =>
        match.startsWith('START') ? 'START TRANSACTION WITH CONSISTENT SNAPSHOT' : "'REPEATABLE-READ'",
    },
    isAlone: true,
    async play({ ann, bob }, session) {
      await (await ann.acquire(NAME, { ttl: '60s' })).release();
      await session.lockRow(NAME);
      const acquiring = [ann, bob].map((client) => client.tryAcquire(NAME, { limit: 1, ttl: '60s' }));
      await session.awaitWaiters(2);
      await session.letGo();
      await Promise.all(acquiring);
    },
  },
  {
    rule: 'overlap',
    when: 'a shared lease is renewed, and its lock is not kept for as long',
    tampering: {
      pattern: /GREATEST\(lock_row\.expire_time, renewed\.last_end\)/,
      replacement: 'lock_row.expire_time',
    },
    async play({ ann, bob }) {
      const lease = await ann.acquire(NAME, { mode: 'shared', ttl: BRIEF });
      const first = { expireTime: lease.expireTime };
      await lease.renew('60s');
      await isOver(first);
      await bob.tryAcquire(NAME, { ttl: '60s' });
    },
  },
  {
    rule: 'busy',
    when: 'the permits of a lease that has expired still count',
    tampering: { pattern: /SUM\(IF\(.+?, holder\.permits, 0\)\)/, replacement: 'SUM(holder.permits)' },
    async play({ ann, bob, recorder }) {
      const lease = await ann.acquire(NAME, { limit: 2, ttl: BRIEF, keepAlive: false });
      const beside = await bob.acquire(NAME, { mode: 'shared', ttl: '60s' });
      await isOver(lease);
      await recorder.use(beside); // tells the clock
      await ann.tryAcquire(NAME, { limit: 2, ttl: '60s' });
    },
  },
];

describeWithMariadb('On MariaDB, the history checker calls it', () => {
  it.each(FAULTS)('$rule when $when', async ({ tampering, rule, isAlone, play }) => {
    const tampered = rulesBrokenBy(play, tampering);
    if (isAlone) await tampered;
    const [broken, whole] = await Promise.all([tampered, rulesBrokenBy(play)]);
    expect(broken).toContain(rule);
    expect(whole).toEqual([]);
  });

  async function rulesBrokenBy(play: Fault['play'], ...tamperings: Tampering[]): Promise<string[]> {
    const { url, drop } = await createMariadbDatabase();
    const witness = new MariadbWitness(url);
    const scene = await Scene.on({
      database: { type: 'mariadb', url, driver: tamperedMariadb([PATIENT, ...tamperings]) },
      witness,
      resource: new GuardedMemory(witness),
      feature: { statementTimeout: PATIENCE },
    });
    const session = await MariadbSession.open(url);
    try {
      await play(scene, session);
      return violationsOf(await scene.recorder.complete()).map(({ rule }) => rule);
    } finally {
      await session.close();
      await scene.close();
      await drop();
    }
  }
});
