import { describe, expect, it } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BRIEF } from '../../libs/db-lock/src/testing/context.js';
import { until } from '../support/patience.js';
import { GuardedMemory } from './guarded-memory.js';
import { violationsOf, type Rule } from './history-checker.js';
import { Scene } from './scene.js';
import { SqliteWitness } from './sqlite-witness.js';
import { tamperedSqlite } from './tampered-sqlite.js';
import type { Tampering } from './tampering.js';

const NAME = 'tampered';

/** A statement of ours that lacks a safeguard, and what happens then. */
interface Fault {
  /** What the history checker must call it. */
  rule: Rule;
  when: string;
  tampering: Tampering;
  play: (scene: Scene) => Promise<void>;
}

const FAULTS: Fault[] = [
  {
    rule: 'overlap',
    when: 'the shortcut to released locks does not look whether they are released',
    tampering: { pattern: /WHERE lock\.grant_id IS NULL/, replacement: '' },
    async play({ ann, bob }) {
      await ann.acquire(NAME, { ttl: '60s' });
      await bob.tryAcquire(NAME, { ttl: '60s' });
    },
  },
  {
    rule: 'token',
    when: 'a grant leaves the token as it was',
    tampering: { pattern: /max\(lock\.token \+ 1, excluded\.token\)/, replacement: 'lock.token' },
    async play({ ann, bob }) {
      await (await ann.acquire(NAME, { ttl: '60s' })).release();
      await (await bob.acquire(NAME, { ttl: '60s' })).release();
    },
  },
  {
    rule: 'trust',
    when: 'a late release frees the lock of the next holder',
    tampering: {
      pattern: /(grant_id = NULL[^]+)grant_id = \? AND expire_time > \?/,
      replacement: '$1? IS NOT ?',
    },
    async play({ ann, bob, recorder }) {
      const lease = await ann.acquire(NAME, { ttl: BRIEF, keepAlive: false });
      await until('the lease runs out', 10_000, () => Date.now() > lease.expireTime.getTime());
      const successor = await bob.acquire(NAME, { ttl: '60s' });
      await lease.release().catch(() => undefined);
      await recorder.use(successor);
    },
  },
  {
    rule: 'refusal',
    when: 'a live lease is not renewed',
    tampering: { pattern: /(SET expire_time = max[^]+)expire_time > :now/, replacement: '$1 :now < 0' },
    async play({ ann }) {
      const lease = await ann.acquire(NAME, { ttl: '60s' });
      await lease.renew().catch(() => undefined);
    },
  },
  {
    rule: 'permits',
    when: 'the permits that are taken are not counted',
    tampering: { pattern: /coalesce\(sum\(holder\.permits\), 0\)/, replacement: '0' },
    async play({ ann, bob }) {
      await ann.acquire(NAME, { limit: 1, ttl: '60s' });
      await bob.tryAcquire(NAME, { limit: 1, ttl: '60s' });
    },
  },
  {
    rule: 'overlap',
    when: 'a shared lease is renewed, and its lock is not kept for as long',
    tampering: { pattern: /max\(expire_time, :expireTime\)/, replacement: 'min(expire_time, :expireTime)' },
    async play({ ann, bob }) {
      const lease = await ann.acquire(NAME, { mode: 'shared', ttl: BRIEF });
      const { expireTime } = lease;
      await lease.renew('60s');
      await until('the first end has passed', 10_000, () => Date.now() > expireTime.getTime());
      await bob.tryAcquire(NAME, { ttl: '60s' });
    },
  },
  {
    rule: 'busy',
    when: 'the permits of a lease that has expired still count',
    tampering: { pattern: /(AS first_end[^]+holder\.lock_name = :lockName) AND [^]+/, replacement: '$1' },
    async play({ ann, bob, recorder }) {
      const { expireTime } = await ann.acquire(NAME, { limit: 2, ttl: BRIEF, keepAlive: false });
      const beside = await bob.acquire(NAME, { mode: 'shared', ttl: '60s' });
      await until('the lease runs out', 10_000, () => Date.now() > expireTime.getTime());
      await recorder.use(beside); // tells the clock
      await ann.tryAcquire(NAME, { limit: 2, ttl: '60s' });
    },
  },
];

describe('on SQLite, the history checker calls it', () => {
  it.each(FAULTS)('$rule when $when', async ({ tampering, rule, play }) => {
    const [tampered, whole] = await Promise.all([rulesBrokenBy(play, tampering), rulesBrokenBy(play)]);
    expect(tampered).toContain(rule);
    expect(whole).toEqual([]);
  });

  async function rulesBrokenBy(play: Fault['play'], ...tamperings: Tampering[]): Promise<string[]> {
    const directory = await mkdtemp(join(tmpdir(), 'db-lock-sensitivity-'));
    const file = join(directory, 'locks.db');
    const witness = new SqliteWitness(file);
    const scene = await Scene.on({
      database: { type: 'better-sqlite3', driver: tamperedSqlite(tamperings), database: file },
      witness,
      resource: new GuardedMemory(witness),
    });
    try {
      await play(scene);
      return violationsOf(await scene.recorder.complete()).map(({ rule }) => rule);
    } finally {
      await scene.close();
      await rm(directory, { recursive: true });
    }
  }
});
