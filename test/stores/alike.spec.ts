import { describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { calls, type Call } from './calls.js';
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
      { numRuns: RUNS, seed: SEED, interruptAfterTimeLimit: LIMIT, includeErrorInReport: true },
    );
  });
});
