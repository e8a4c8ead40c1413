import { MAX_TIMER, monotonicNow, moveClock } from './clock.js';
import { sharedValue } from './copies.js';
import { NOWHERE, Roster, type Listed } from './roster.js';

/** All that are set. */
const timers = sharedValue('timers', () => new Roster<Timer>());

/**
 * Rings once at a moment on the monotonic clock, unless it is stopped or set again before. A timer of Node.js may be early, and takes no
 * more than `MAX_TIMER` milliseconds: what counts is the clock.
 */
export class Timer implements Listed {
  place = NOWHERE;
  at = Infinity;
  #timeout?: NodeJS.Timeout;

  /** @param holdsProcess whether the process must not end before it rings; default false */
  constructor(
    private readonly ring: () => void,
    private readonly holdsProcess = false,
  ) {}

  get isSet(): boolean {
    return this.place !== NOWHERE;
  }

  set(at: number): void {
    this.stop();
    this.at = at;
    timers.add(this);
    this.#arm();
  }

  stop(): void {
    if (!this.isSet) return;
    timers.delete(this);
    clearTimeout(this.#timeout);
  }

  /** Rings if it is time. */
  look(): void {
    if (!this.isSet) return;
    if (monotonicNow() < this.at) return this.#arm();
    this.stop();
    this.ring();
  }

  #arm(): void {
    const pause = Math.max(0, Math.ceil(this.at - monotonicNow()));
    clearTimeout(this.#timeout);
    this.#timeout = setTimeout(() => this.look(), Math.min(pause, MAX_TIMER));
    if (!this.holdsProcess) this.#timeout.unref();
  }
}

/** How often the event loop turns until what a timer has begun is done, where nothing waits for anything outside of the process. */
const TURNS = 8;

/**
 * For tests: lets so many milliseconds pass at once. Timers ring in their order, each at its time, and what they begin goes on before the
 * next one rings.
 */
export async function letPass(milliseconds: number): Promise<void> {
  const end = monotonicNow() + milliseconds;
  for (;;) {
    await turnsOfTheLoop();
    const next = nextTimer();
    if (!next || next.at > end) break;
    moveTo(next.at);
    next.look();
  }
  moveTo(end);
  const others = [...timers]; // they ring, or are set for what is left of their time
  for (const timer of others) timer.look();
  await turnsOfTheLoop();
}

/** By whole milliseconds, so that sums stay exact. */
function moveTo(time: number): void {
  moveClock(Math.max(0, Math.ceil(time - monotonicNow())));
}

function nextTimer(): Timer | undefined {
  let next: Timer | undefined;
  for (const timer of timers) if (!next || timer.at < next.at) next = timer;
  return next;
}

async function turnsOfTheLoop(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await new Promise(setImmediate);
}
