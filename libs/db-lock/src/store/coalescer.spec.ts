import { describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { Coalescer, QueuedTooLongError } from './coalescer.js';

/** A coalescer whose batches are answered when the test says so. */
function manual({ maxBatch = 100, maxAge = 10_000 } = {}) {
  const batches: number[][] = [];
  const gates: Array<{ open: () => void; fail: (error: Error) => void }> = [];
  const coalescer = new Coalescer<number, string>({
    maxBatch,
    maxAge,
    answer: async (batch) => {
      batches.push([...batch]);
      await new Promise<void>((open, fail) => gates.push({ open, fail }));
      return batch.map((request) => `answer ${request}`);
    },
  });
  return { coalescer, batches, gates };
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 5));

describe('the coalescer', () => {
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
    await sleep(60);
    gates[0]!.open();
    await first;
    await refused;
    const next = coalescer.submit(3);
    await turn();
    gates[1]!.open();
    await next;
    expect(batches).toEqual([[1], [3]]);
  });
});
