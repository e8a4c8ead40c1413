import { LeaseLostError, StoreUnavailableError, type Lease, type LockClient } from 'nestjs-db-lock';
import { randomInt, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Recorder } from './recorder.js';

/** The TTLs that workers ask for, in milliseconds. */
const SHORTEST_TTL = 300;
export const LONGEST_TTL = 1_500;

/** How often a worker repeats an acquire whose outcome is unknown, with a grantId of its own. */
const REPEATS = 5;

/** The longest that a worker waits for a lock, in milliseconds. */
const LONGEST_WAIT = 2_000;

const chance = (percent: number) => randomInt(100) < percent;

/** Takes locks at random, works under them, and lets them go or run out, until it is told to stop. */
export class Worker {
  constructor(
    private readonly workerName: string,
    private readonly client: LockClient,
    private readonly lockNames: readonly string[],
    private readonly recorder: Recorder,
  ) {}

  async run(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      if (chance(10)) await this.#takeTwo();
      const keepAlive = chance(30);
      const lease = await this.#acquire(this.lockNames[randomInt(this.lockNames.length)]!, keepAlive);
      if (lease) {
        await this.#use(lease);
        if (keepAlive || chance(70)) await lease.release().catch(passing);
        else await this.#outlive(lease);
      }
      await sleep(randomInt(10, 60));
    }
  }

  async #acquire(lockName: string, keepAlive: boolean): Promise<Lease | null> {
    const grantId = chance(50) ? randomUUID() : undefined;
    const options = {
      ttl: randomInt(SHORTEST_TTL, LONGEST_TTL),
      workerName: this.workerName,
      keepAlive,
      grantId,
      wait: chance(60) ? randomInt(LONGEST_WAIT) : 0,
      signal: chance(20) ? AbortSignal.timeout(randomInt(1, LONGEST_WAIT)) : undefined,
    };
    for (let repeats = 0; ; repeats++) {
      try {
        return await this.client.tryAcquire(lockName, options);
      } catch (error) {
        passing(error);
        const isOver = error instanceof LeaseLostError || options.signal?.aborted;
        if (isOver || grantId === undefined || repeats === REPEATS) return null;
        await sleep(randomInt(50, 200));
      }
    }
  }

  /** Two locks at once, or none. */
  async #takeTwo(): Promise<void> {
    const names = this.lockNames.toSorted(() => Math.random() - 0.5).slice(0, 2);
    const ttl = randomInt(SHORTEST_TTL, LONGEST_TTL);
    const options = { ttl, workerName: this.workerName, wait: randomInt(LONGEST_WAIT) };
    const set = await this.client.tryAcquireAll(names, options).catch(passing);
    if (!set) return;
    for (const lease of set.leases) await this.recorder.use(lease);
    await set.release().catch(passing);
  }

  async #use(lease: Lease): Promise<void> {
    do {
      await this.recorder.use(lease);
      if (chance(30)) await lease.renew().catch(passing);
      if (chance(15)) await this.#repeat(lease);
      await sleep(randomInt(5, 50));
    } while (lease.timeLeft > 0 && chance(70));
  }

  /** Works on to the very end of the lease, which nobody renews. */
  async #outlive(lease: Lease): Promise<void> {
    while (lease.timeLeft > 0) {
      await this.recorder.use(lease);
      await sleep(Math.min(30, lease.timeLeft / 2));
    }
  }

  /** The handle that a repeat returns is left to its deadline. */
  async #repeat({ lockName, grantId }: Lease): Promise<void> {
    await this.client
      .tryAcquire(lockName, { workerName: this.workerName, grantId, ttl: LONGEST_TTL })
      .catch(passing);
  }
}

/** What a fault may cause. Anything else is a fault of ours. */
export function passing(error: unknown): void {
  const isGivenUp = error instanceof DOMException && error.name === 'TimeoutError';
  if (!(error instanceof LeaseLostError || error instanceof StoreUnavailableError || isGivenUp)) throw error;
}
