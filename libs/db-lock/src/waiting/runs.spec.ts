import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Share } from '../lease/modes.js';
import { ClientClosedError, StoreUnavailableError } from '../lease/errors.js';
import type { HolderRecord, LeaseRecord } from '../store/lock-store.js';
import type { Decision } from './queued-acquire.js';
import { WaitingRoom } from './waiting-room.js';

const HOLDER = {
  lockName: 'job',
  workerName: 'holder',
  grantId: 'holder',
  lockTime: new Date(0),
  expireTime: new Date(0),
  timeLeft: 60_000,
} satisfies HolderRecord;

const READER: Share = { permits: 1, limit: null };
const ONE_OF_TWO: Share = { permits: 1, limit: 2 };

describe('those who would share a lock', () => {
  let room: WaitingRoom;
  /** Who was asked for together, each time. */
  let runs: string[][];
  let answers: Map<string, (decision: Decision<string>) => void>;
  let waits: Array<Promise<unknown>>;

  beforeEach(() => {
    room = new WaitingRoom(undefined, 5_000);
    runs = [];
    answers = new Map();
    waits = [];
  });

  afterEach(async () => {
    room.close(new ClientClosedError());
    await Promise.all(waits);
  });

  const turn = () => new Promise(setImmediate);

  /** Somebody waits in the lock's line; without a share, for an exclusive lease. */
  const join = (name: string, share?: Share, signal?: AbortSignal) => {
    const result = room
      .lineUp<string>('job', {
        workerName: name,
        grantId: name,
        wait: 60_000,
        signal,
        share,
        attempt: () => {
          if (answers.size === 0) runs.push([]);
          runs.at(-1)!.push(name);
          return new Promise((resolve) => answers.set(name, resolve));
        },
        giveBack: () => undefined,
      })
      .then(
        ({ outcome }) => outcome,
        (error: Error) => error.constructor.name,
      );
    waits.push(result);
    return result;
  };

  const granted = (name: string): Decision<string> => ({
    outcome: 'granted',
    granted: name,
    lease: { ...HOLDER, workerName: name } as unknown as LeaseRecord,
  });

  /** The store answers all whom it was asked for: these get the lock, the others don't. */
  const letIn = async (...names: string[]) => {
    const asked = [...answers];
    answers.clear();
    for (const [name, answer] of asked)
      answer(names.includes(name) ? granted(name) : { outcome: 'busy', holder: HOLDER });
    await turn();
    await turn();
  };

  /** The lock is known to be busy, and these wait for it. */
  const queue = async (...waiters: Array<[string, Share?, AbortSignal?]>) => {
    const results = waiters.map((waiter) => join(...waiter));
    await letIn();
    while (answers.size > 0) await letIn();
    runs = [];
    return results;
  };

  it('are asked for together, up to the first who wants it alone', async () => {
    const [ann, bob] = await queue(['ann', READER], ['bob', READER], ['cat'], ['dan', READER]);
    room.free('job');
    expect(runs).toEqual([['ann', 'bob']]);
    await letIn('ann', 'bob');
    await expect(Promise.all([ann, bob])).resolves.toEqual(['granted', 'granted']);
    room.free('job');
    expect(runs).toEqual([['ann', 'bob'], ['cat']]);
  });

  it('are asked for as far as they fit by what they ask for themselves', async () => {
    void (await queue(['ann', ONE_OF_TWO], ['bob', ONE_OF_TWO], ['cat', ONE_OF_TWO], ['dan', READER]));
    room.free('job');
    expect(runs).toEqual([['ann', 'bob']]);
  });

  it('stay in their order when not all of them fit', async () => {
    void (await queue(['ann', ONE_OF_TWO], ['bob', ONE_OF_TWO], ['cat', ONE_OF_TWO]));
    room.free('job');
    await letIn('ann');
    room.free('job');
    expect(runs).toEqual([
      ['ann', 'bob'],
      ['bob', 'cat'],
    ]);
  });

  it('are asked for at once when they came while others were let in', async () => {
    void (await queue(['ann', READER]));
    room.free('job');
    void join('bob', READER);
    void join('cat', READER);
    await letIn('ann');
    expect(runs).toEqual([['ann'], ['bob', 'cat']]);
  });

  it('are asked for when one that stood in their way gives up', async () => {
    const giveUp = new AbortController();
    void (await queue(['writer', undefined, giveUp.signal], ['ann', READER], ['bob', READER]));
    giveUp.abort(new Error('enough'));
    await turn();
    expect(runs).toEqual([['ann', 'bob']]);
  });

  it('are asked for when one gives up while the store decides', async () => {
    const giveUp = new AbortController();
    void (await queue(['large', { permits: 2, limit: 2 }, giveUp.signal], ['ann', ONE_OF_TWO]));
    room.free('job');
    giveUp.abort(new Error('enough'));
    await letIn();
    expect(runs).toEqual([['large'], ['ann']]);
  });

  it('go on waiting when the store does not answer', async () => {
    const [ann] = await queue(['ann', READER], ['bob', READER]);
    room.free('job');
    const asked = [...answers.values()];
    answers.clear();
    for (const answer of asked) answer({ outcome: 'error', error: new StoreUnavailableError('no') });
    await turn();
    expect(room.line('job')?.size).toBe(2);
    room.free('job');
    await letIn('ann', 'bob');
    await expect(ann).resolves.toBe('granted');
    expect(room.line('job')).toBeUndefined();
  });

  it('fail each for itself', async () => {
    const [ann, bob] = await queue(['ann', READER], ['bob', READER]);
    room.free('job');
    answers.get('ann')!({ outcome: 'error', error: new TypeError('a fault of ours') });
    answers.get('bob')!(granted('bob'));
    await expect(Promise.all([ann, bob])).resolves.toEqual(['TypeError', 'granted']);
  });
});
