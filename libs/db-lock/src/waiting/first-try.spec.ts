import { beforeEach, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClientClosedError, OverloadedError, StoreUnavailableError } from '../lease/errors.js';
import type { HolderRecord, LeaseRecord } from '../store/lock-store.js';
import type { Decision } from './queued-acquire.js';
import { WaitingRoom } from './waiting-room.js';

const HOLDER: HolderRecord = {
  lockName: 'job',
  workerName: 'holder',
  grantId: 'holder',
  lockTime: new Date(0),
  expireTime: new Date(0),
  timeLeft: 60_000,
};

const BUSY: Decision<string> = { outcome: 'busy', holder: HOLDER };
const DOWN: Decision<string> = { outcome: 'error', error: new StoreUnavailableError('no') };

describe('the try of the first who would wait for a lock', () => {
  let room: WaitingRoom;
  /** Whom the store was asked for, in this order. */
  let asked: string[];
  let givenBack: string[];
  /** Answers of the store that are on their way, by who asked. */
  let answers: Map<string, (decision: Decision<string>) => void>;

  const granted = (name: string): Decision<string> => ({
    outcome: 'granted',
    granted: name,
    lease: { ...HOLDER, workerName: name } as unknown as LeaseRecord,
  });

  const wait = (name: string, options: { wait?: number; signal?: AbortSignal } = {}) =>
    room
      .wait<string>('job', {
        workerName: name,
        grantId: name,
        wait: 60_000,
        ...options,
        attempt: () => {
          asked.push(name);
          return new Promise((resolve) => answers.set(name, resolve));
        },
        giveBack: (grant) => givenBack.push(grant),
      })
      .then(
        (outcome) => outcome.outcome,
        (error: Error) => error.constructor.name,
      );

  /** The store answers who has asked. */
  const answer = async (name: string, decision: Decision<string>) => {
    answers.get(name)!(decision);
    await new Promise(setImmediate);
  };

  beforeEach(() => {
    room = new WaitingRoom(undefined, 5_000);
    asked = [];
    givenBack = [];
    answers = new Map();
  });

  it('needs no line where the lock is free', async () => {
    const ann = wait('ann');
    expect(room.line('job')).toBeUndefined();
    await answer('ann', granted('ann'));
    await expect(ann).resolves.toBe('granted');
    expect(room.line('job')).toBeUndefined();
    expect(asked).toEqual(['ann']);
  });

  it('is the only one, however many come with it; they get the lock in their order', async () => {
    const names = Array.from({ length: 100 }, (_, index) => `w${index}`);
    const order: string[] = [];
    const all = names.map(async (name) => {
      await wait(name);
      order.push(name);
    });
    expect(asked).toEqual(['w0']);
    for (const name of names) {
      await answer(name, granted(name));
      room.free('job');
    }
    await Promise.all(all);
    expect(order).toEqual(names);
    expect(asked).toEqual(names);
  });

  it('keeps its place when it is slow to be refused', async () => {
    const ann = wait('ann');
    const bob = wait('bob');
    await answer('ann', BUSY);
    room.free('job');
    expect(asked).toEqual(['ann', 'ann']);
    await answer('ann', granted('ann'));
    await expect(ann).resolves.toBe('granted');
    room.free('job');
    await answer('bob', granted('bob'));
    await expect(bob).resolves.toBe('granted');
  });

  it('looks again at once when the lock came free while it was asked for', async () => {
    const ann = wait('ann');
    room.free('job');
    await answer('ann', BUSY);
    expect(asked).toEqual(['ann', 'ann']);
    await answer('ann', granted('ann'));
    await expect(ann).resolves.toBe('granted');
  });

  it('looks again also when another has come behind it meanwhile', async () => {
    const ann = wait('ann');
    room.free('job');
    const bob = wait('bob');
    await answer('ann', BUSY);
    expect(asked).toEqual(['ann', 'ann']);
    room.close(new ClientClosedError());
    await Promise.all([ann, bob]);
  });

  it.each([
    ['alone', []],
    ['with another behind it', ['bob']],
  ])('is given up at once, %s; what it is granted afterwards goes back', async (_, others) => {
    const giveUp = new AbortController();
    const ann = wait('ann', { signal: giveUp.signal });
    const behind = others.map((name) => wait(name));
    giveUp.abort(new TypeError('enough'));
    await expect(ann).resolves.toBe('TypeError');
    await answer('ann', granted('ann'));
    expect(givenBack).toEqual(['ann']);
    room.close(new ClientClosedError());
    await Promise.all(behind);
  });

  it('ends when the room is closed, and none begins', async () => {
    const ann = wait('ann');
    room.close(new ClientClosedError());
    await expect(ann).resolves.toBe('ClientClosedError');
    await expect(wait('bob')).resolves.toBe('ClientClosedError');
    await answer('ann', granted('ann'));
    expect(givenBack).toEqual(['ann']);
    expect(asked).toEqual(['ann']);
  });

  it('is repeated after a pause where the store does not answer, until the time is over', async () => {
    const ann = wait('ann', { wait: 300 });
    await answer('ann', DOWN);
    expect(asked).toEqual(['ann']);
    await expect(ann).resolves.toBe('StoreUnavailableError'); // although the second answer never comes
    expect(asked).toEqual(['ann', 'ann']);
  });

  it('waits for its answer also beyond its time, as one who only tries', async () => {
    const [ann, bob] = [wait('ann', { wait: 20 }), wait('bob', { wait: 20 })];
    await sleep(60);
    await answer('ann', BUSY);
    await expect(ann).resolves.toBe('busy');
    await expect(bob).resolves.toBe('busy');
    const cat = wait('cat', { wait: 20 });
    await sleep(60);
    await answer('cat', DOWN);
    await expect(cat).resolves.toBe('StoreUnavailableError');
  });

  it('lets nobody behind it wait beyond their time when the store is overloaded', async () => {
    const waits = ['ann', 'bob', 'cat'].map((name) => wait(name, { wait: 50 }));
    await sleep(80);
    await answer('ann', { outcome: 'error', error: new OverloadedError(1) });
    await expect(Promise.all(waits)).resolves.toEqual(Array(3).fill('OverloadedError'));
    expect(asked).toEqual(['ann']);
  });

  it('fails with any other error', async () => {
    const ann = wait('ann');
    await answer('ann', { outcome: 'error', error: new TypeError('a fault of ours') });
    await expect(ann).resolves.toBe('TypeError');
  });
});
