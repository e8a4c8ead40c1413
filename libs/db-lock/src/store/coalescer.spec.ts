import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import { OverloadedError } from '../lease/errors.js';
import { Coalescer, QueuedTooLongError, type CoalescerOptions } from './coalescer.js';

/** A coalescer whose batches are answered when the test says so. */
function manual(options: Partial<CoalescerOptions<number, string>> = {}) {
  const batches: number[][] = [];
  const gates: Array<{ open: () => void; fail: (error: Error) => void }> = [];
  const coalescer = new Coalescer<number, string>({
    maxBatch: 100,
    maxAge: 10_000,
    ...options,
    answer: async (batch) => {
      batches.push([...batch]);
      await new Promise<void>((open, fail) => gates.push({ open, fail }));
      return batch.map((request) => `answer ${request}`);
    },
  });
  return { coalescer, batches, gates };
}

/** What can happen without any time passing. */
async function turn(): Promise<void> {
  for (let turns = 0; turns < 5; turns++) await turnOfTheLoop();
}

async function pass(milliseconds: number): Promise<void> {
  await jest.advanceTimersByTimeAsync(milliseconds);
  await turn();
}

describe('the coalescer', () => {
  // The event loop turns by itself: only time is the test's.
  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'clearImmediate', 'queueMicrotask'] });
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  it('sends together what arrives in one turn, and then what arrived meanwhile', async () => {
    const { coalescer, batches, gates } = manual();
    const first = [1, 2, 3].map((request) => coalescer.submit(request));
    await turn();
    const second = [4, 5].map((request) => coalescer.submit(request));
    await turn();
    expect(batches).toEqual([[1, 2, 3]]);
    gates[0]!.open();
    expect(await Promise.all(first)).toEqual(['answer 1', 'answer 2', 'answer 3']);
    await turn();
    expect(batches).toEqual([
      [1, 2, 3],
      [4, 5],
    ]);
    gates[1]!.open();
    expect(await Promise.all(second)).toEqual(['answer 4', 'answer 5']);
  });

  it('keeps to the size of a batch', async () => {
    const { coalescer, batches, gates } = manual({ maxBatch: 2 });
    const answers = Promise.all([1, 2, 3].map((request) => coalescer.submit(request)));
    await turn();
    gates[0]!.open();
    await turn();
    gates[1]!.open();
    await answers;
    expect(batches).toEqual([[1, 2], [3]]);
  });

  it('passes a failure to all of its batch, and goes on', async () => {
    const { coalescer, gates } = manual();
    const failing = Promise.allSettled([coalescer.submit(1), coalescer.submit(2)]);
    await turn();
    gates[0]!.fail(new Error('broken'));
    for (const result of await failing)
      expect(result).toMatchObject({ status: 'rejected', reason: { message: 'broken' } });
    const next = coalescer.submit(3);
    await turn();
    gates[1]!.open();
    expect(await next).toBe('answer 3');
  });

  it('gives up what has queued for too long, unsent', async () => {
    const { coalescer, batches, gates } = manual({ maxAge: 30 });
    const first = coalescer.submit(1);
    await turn();
    const late = coalescer.submit(2);
    const refused = expect(late).rejects.toThrow(QueuedTooLongError);
    await pass(60);
    gates[0]!.open();
    await first;
    await refused;
    const next = coalescer.submit(3);
    await turn();
    gates[1]!.open();
    await next;
    expect(batches).toEqual([[1], [3]]);
  });

  it('takes out of the queue, unsent, what its signal gives up', async () => {
    const { coalescer, batches, gates } = manual();
    const first = coalescer.submit(1);
    await turn();
    const giveUp = new AbortController();
    const second = coalescer.submit(2, giveUp.signal);
    const third = coalescer.submit(3);
    giveUp.abort(new Error('given up'));
    const refused = expect(second).rejects.toThrow('given up');
    gates[0]!.open();
    await first;
    await refused;
    await turn();
    gates[1]!.open();
    await third;
    expect(batches).toEqual([[1], [3]]);
  });

  it('refuses what its queue has no room for, and takes more when there is room again', async () => {
    const { coalescer, batches, gates } = manual({ maxQueued: 2 });
    const first = coalescer.submit(1);
    await turn();
    const queued = [coalescer.submit(2), coalescer.submit(3)];
    await expect(coalescer.submit(4)).rejects.toThrow(OverloadedError);
    gates[0]!.open();
    await first;
    await turn();
    const fifth = coalescer.submit(5);
    gates[1]!.open();
    await Promise.all(queued);
    await turn();
    gates[2]!.open();
    await fifth;
    expect(batches).toEqual([[1], [2, 3], [5]]);
  });

  it('sends another batch beside a slow one, as many as may be under way', async () => {
    const { coalescer, batches, gates } = manual({ maxUnderWay: 2 });
    const slow = coalescer.submit(1);
    await turn();
    const second = coalescer.submit(2);
    await turn();
    expect(batches).toEqual([[1]]);
    await pass(60);
    expect(batches).toEqual([[1], [2]]);
    const third = coalescer.submit(3);
    await pass(60);
    expect(batches).toEqual([[1], [2]]);
    gates[1]!.open();
    await second;
    await pass(60);
    expect(batches).toEqual([[1], [2], [3]]);
    gates[2]!.open();
    await third;
    gates[0]!.open();
    await slow;
  });

  it('takes a batch for slow that takes twice as long as usual', async () => {
    const { coalescer, batches, gates } = manual({ maxUnderWay: 2 });
    for (let times = 0; times < 20; times++) {
      const usual = coalescer.submit(times);
      await pass(20);
      gates[times]!.open();
      await usual;
    }
    const slow = coalescer.submit(100);
    await turn();
    const next = coalescer.submit(200);
    await pass(39);
    expect(batches.at(-1)).toEqual([100]);
    await pass(2);
    expect(batches.at(-1)).toEqual([200]);
    for (const gate of gates) gate.open();
    await Promise.all([slow, next]);
  });

  it('waits for nobody but a batch that is still under way and not slow', async () => {
    const { coalescer, batches, gates } = manual({ maxUnderWay: 2 });
    const slow = coalescer.submit(1);
    await pass(60);
    const second = coalescer.submit(2);
    await turn();
    expect(batches).toEqual([[1], [2]]);
    gates[1]!.open();
    await second;
    const third = coalescer.submit(3);
    await turn();
    expect(batches).toEqual([[1], [2], [3]]);
    for (const gate of gates) gate.open();
    await Promise.all([slow, third]);
  });

  it('sends no batch beside one that is under way and not slow, however many queue', async () => {
    const { coalescer, batches, gates } = manual({ maxBatch: 2, maxUnderWay: 2 });
    const answers = Promise.all([1, 2, 3, 4, 5].map((request) => coalescer.submit(request)));
    await pass(4);
    expect(batches).toEqual([[1, 2]]);
    gates[0]!.open();
    await turn();
    expect(batches).toEqual([
      [1, 2],
      [3, 4],
    ]);
    gates[1]!.open();
    await turn();
    gates[2]!.open();
    await answers;
  });

  it('sends another batch beside one that is under way as soon as it is worth it', async () => {
    const { coalescer, batches, gates } = manual({ maxBatch: 2, maxUnderWay: 2, worthIt: 2 });
    const answers = Promise.all([1, 2, 3, 4, 5].map((request) => coalescer.submit(request)));
    await turn();
    expect(batches).toEqual([
      [1, 2],
      [3, 4],
    ]);
    gates[1]!.open();
    await pass(60);
    expect(batches.at(-1)).toEqual([5]);
    gates[0]!.open();
    gates[2]!.open();
    await answers;
  });

  it('sends many that have queued before it tells the answers of those before them', async () => {
    const told: number[] = [];
    const { coalescer, batches, gates } = manual();
    const submit = async (count: number) => {
      const asked = Array.from({ length: count }, (_, request) => coalescer.submit(request));
      for (const answer of asked) void answer.then(() => told.push(batches.length));
      await turn();
    };
    await submit(1);
    await submit(63); // too few to hurry: those who are told may ask again
    gates[0]!.open();
    await turn();
    await submit(64);
    gates[1]!.open();
    await turn();
    expect(told).toEqual([1, ...new Array<number>(63).fill(3)]);
    expect(batches.map(({ length }) => length)).toEqual([1, 63, 64]);
  });

  it('lets the event loop turn, though each answer is there at once and asked for again', async () => {
    const coalescer = new Coalescer<number, number>({
      maxBatch: 10,
      maxAge: 10_000,
      answer: async (batch) => batch,
    });
    let turned = false;
    setImmediate(() => setImmediate(() => (turned = true)));
    while (!turned) await coalescer.submit(1);
  });
});
