import { describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { calls, type Call } from './calls.js';
import { HOUR } from './requests.js';
import { Player } from './player.js';
import { STORES, type OpenStore } from './stores.js';

/** fast-check tells it with the counterexample. */
const SEED = 20_261_129;

/** With each clock tolerance. */
const RUNS = 50;

const CALLS = 30;

/** The most milliseconds, also for finding a shorter sequence that fails. */
const LIMIT = 100_000;

/** The clocks of this process, which stand still until they are moved: so both stores read the same times. */
class StoppedClock {
  #date = Date.now();
  #performance = Math.ceil(performance.now());

  constructor() {
    jest.spyOn(Date, 'now').mockImplementation(() => this.#date);
    jest.spyOn(performance, 'now').mockImplementation(() => this.#performance);
  }

  goOn(): void {
    jest.restoreAllMocks();
  }

  move(milliseconds: number): void {
    this.#date += milliseconds;
    this.#performance += milliseconds;
  }
}

const request = { lockName: 'a', workerName: 'ann', ttl: HOUR, metadata: null, ticket: 'none' } as const;
const byName = {
  sort: 'workerName',
  page: 1,
  pageSize: 10,
  search: undefined,
  state: undefined,
  prefix: undefined,
} as const;

/** What chance comes upon too seldom. */
const EXAMPLES = {
  'a worker that is told no more': [
    {
      call: 'acquire',
      requests: [
        { ...request, grant: 0 },
        { ...request, grant: 1, lockName: 'b:1', workerName: 'Bob' },
      ],
    },
    { call: 'release', requests: [{ lockName: 'a', by: 0, minHold: 1_000, version: undefined }] },
    { call: 'letPass', milliseconds: 60_000 },
    { call: 'page', ...byName, order: 'asc' },
    { call: 'page', ...byName, order: 'desc' },
  ],
  'the end of a turn': [
    { call: 'acquire', requests: [{ ...request, grant: 1 }] },
    {
      call: 'join',
      server: 0,
      waiters: [{ lockName: 'a', grant: 0, workerName: 'Bob', ticket: 'new', share: undefined }],
    },
    { call: 'release', requests: [{ lockName: 'a', by: 1, minHold: 0, version: undefined }] },
    { call: 'letPass', milliseconds: 299 },
    { call: 'acquire', requests: [{ ...request, grant: 2 }] },
    { call: 'letPass', milliseconds: 1 },
    { call: 'acquire', requests: [{ ...request, grant: 2 }] },
  ],
} satisfies Record<string, Call[]>;

describe('SQLite and memory', () => {
  const [memory, sqlite] = ['memory', 'SQLite'].map((name) => STORES.find((kind) => kind.name === name)!);

  const playOnBoth = async (sequence: readonly Call[], clockTolerance: number) => {
    const clock = new StoppedClock();
    const opened: OpenStore[] = [];
    try {
      for (const { open } of [memory!, sqlite!]) opened.push(await open({ clockTolerance }));
      const [one, other] = opened.map((each) => new Player(each)) as [Player, Player];
      for (const call of sequence) {
        if (call.call === 'letPass') clock.move(call.milliseconds);
        else expect([call, await other.play(call)]).toEqual([call, await one.play(call)]);
        expect([call, await other.look()]).toEqual([call, await one.look()]);
      }
    } finally {
      clock.goOn();
      for (const { drop } of opened) await drop();
    }
  };

  it.each([0, 400])('answer all calls alike, with a clock tolerance of %d ms', async (clockTolerance) => {
    const sequences = fc.array(calls, { minLength: 1, maxLength: CALLS, size: 'max' });
    await fc.assert(
      fc.asyncProperty(sequences, (sequence) => playOnBoth(sequence, clockTolerance)),
      {
        numRuns: RUNS,
        seed: SEED,
        examples: Object.values(EXAMPLES).map((example) => [example]),
        includeErrorInReport: true,
        plugins: [fc.interruptAfterTimeLimit(LIMIT)],
      },
    );
  });
});
