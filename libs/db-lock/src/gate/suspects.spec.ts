import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { LockRecord } from '../store/lock-store.js';
import type { Entry } from './entry.js';
import { Suspects, type Suspect } from './suspects.js';

const entry = (changes: Partial<Entry> = {}): Entry => ({
  grantId: randomUUID(),
  token: 7,
  workerName: 'worker',
  lockTime: null,
  expireTime: null,
  ...changes,
});

function record(lockName: string, changes: Partial<LockRecord> = {}): LockRecord {
  const now = new Date();
  return {
    lockName,
    state: 'held',
    workerName: 'worker',
    fencingToken: 7,
    lockTime: now,
    serverTime: now,
    expireTime: new Date(now.getTime() + 60_000),
    metadata: null,
    waiting: 0,
    ...changes,
  };
}

/** Suspects over a database that a test fills. */
function setUp() {
  const database = new Map<string, LockRecord>();
  const looks: string[][] = [];
  const untrue: string[] = [];
  const state = { down: false };
  const suspects = new Suspects({
    inspect: async (lockNames) => {
      looks.push([...lockNames]);
      if (state.down) throw new Error('The database is down.');
      return lockNames.map((lockName) => database.get(lockName) ?? null);
    },
    onUntrue: async (found: readonly Suspect[]) => {
      untrue.push(...found.map(({ lockName }) => lockName));
    },
  });
  return { database, looks, untrue, state, suspects };
}

describe('a suspect entry', () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  const pass = (milliseconds: number) => jest.advanceTimersByTimeAsync(milliseconds);

  it.each<[string, Partial<Entry>, Partial<LockRecord> | null, boolean]>([
    ['its lease is held', {}, {}, true],
    ['the lock was never held', {}, null, false],
    ['the lock was released', {}, { state: 'released', workerName: null }, false],
    ['the lease has expired', {}, { state: 'expired' }, false],
    ['another grant is held', {}, { fencingToken: 8 }, false],
    ['its claim was granted', { token: 0 }, {}, true],
    ['somebody else got what was claimed', { token: 0 }, { workerName: 'other' }, false],
    ['its claim came to nothing', { token: 0 }, { state: 'released', workerName: null }, false],
  ])('is looked at after a second; when %s …', async (_, ofEntry, ofRecord, isTrue) => {
    const { database, looks, untrue, suspects } = setUp();
    if (ofRecord) database.set('a', record('a', ofRecord));
    suspects.suspect('a', entry(ofEntry));
    await pass(999);
    expect(looks).toEqual([]);
    await pass(1);
    expect(looks).toEqual([['a']]);
    expect(untrue).toEqual(isTrue ? [] : ['a']);
  });

  it('is looked at together with others, once however many bump into it', async () => {
    const { looks, suspects } = setUp();
    const [a, b] = [entry(), entry()];
    for (let i = 0; i < 10; i++) {
      suspects.suspect('a', a);
      suspects.suspect('b', b);
    }
    await pass(10_000);
    expect(looks).toEqual([['a', 'b']]);
  });

  it('that was found true is believed for five seconds', async () => {
    const { database, looks, suspects } = setUp();
    database.set('a', record('a'));
    const one = entry();
    suspects.suspect('a', one);
    await pass(1_000);
    await pass(4_900);
    suspects.suspect('a', one);
    await pass(2_000);
    expect(looks).toHaveLength(1);
    suspects.suspect('a', one);
    await pass(1_000);
    expect(looks).toHaveLength(2);
  });

  it('that was found true is believed no longer than its lease lasts', async () => {
    const { database, looks, suspects } = setUp();
    const one = entry();
    suspects.suspect('a', one);
    await pass(500);
    database.set('a', record('a', { expireTime: new Date(Date.now() + 300) }));
    await pass(500);
    await pass(301);
    suspects.suspect('a', one);
    await pass(1_000);
    expect(looks).toHaveLength(2);
  });

  it('is looked at again when it is another grant, or the claim has become a lease', async () => {
    const { database, looks, suspects } = setUp();
    database.set('a', record('a'));
    const claim = entry({ token: 0 });
    for (const next of [claim, { ...claim, token: 7 }, entry()]) {
      suspects.suspect('a', next);
      await pass(1_000);
    }
    expect(looks).toHaveLength(3);
  });

  it('is forgotten when the database does not answer, and comes up again with the next refusal', async () => {
    const { looks, untrue, state, suspects } = setUp();
    const lie = entry();
    state.down = true;
    suspects.suspect('a', lie);
    await pass(5_000);
    expect(looks).toHaveLength(1);
    state.down = false;
    suspects.suspect('a', lie);
    await pass(1_000);
    expect(untrue).toEqual(['a']);
  });

  it('is one of 10,000 at most, which are looked at in parts', async () => {
    const { looks, suspects } = setUp();
    for (let i = 0; i < 10_500; i++) suspects.suspect(`lock ${i}`, entry());
    await pass(2_000);
    expect(looks.flat()).toHaveLength(10_000);
    expect(looks.flat().at(-1)).toBe('lock 9999');
    expect(Math.max(...looks.map(({ length }) => length))).toBe(256);
  });

  it('is left alone once all is closed', async () => {
    const { looks, suspects } = setUp();
    suspects.suspect('a', entry());
    suspects.close();
    suspects.suspect('b', entry());
    await pass(5_000);
    expect(looks).toEqual([]);
  });
});
