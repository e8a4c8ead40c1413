import { LeaseLostError, StoreUnavailableError, type Lease, type LockClient } from 'nestjs-db-lock';
import { randomInt, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ModeOptions, Share } from '../../libs/db-lock/src/lease/modes.js';
import type { Recorder } from './recorder.js';

/** The TTLs that workers ask for, in milliseconds. */
const SHORTEST_TTL = 300;
export const LONGEST_TTL = 1_500;

/** How often a worker repeats an acquire whose outcome is unknown, with a grantId of its own. */
const REPEATS = 5;

/** The longest that a worker waits for a lock, in milliseconds. */
const LONGEST_WAIT = 2_000;

/** What workers want of a lock that others may have, too. */
const SHARES: readonly ModeOptions[] = [
  { mode: 'shared' },
  { limit: 2 },
  { limit: 5 },
  { limit: 5, permits: 3 },
  { permits: 2 },
];

const chance = (percent: number) => randomInt(100) < percent;

const oneOf = <Item>(items: readonly Item[]): Item => items[randomInt(items.length)]!;

/**
 * Takes locks at random and in any mode, works under them, and lets them go or run out, until it is told to stop. The last of the locks is
 * shared most of the time, and nobody waits for it: who is refused a share of it has to have a reason.
 */
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
      const lease = await this.#acquire(oneOf(this.lockNames), keepAlive);
      if (lease) {
        const share = await this.#use(lease);
        if (keepAlive || chance(70)) await lease.release().catch(passing);
        else await this.#outlive(lease, share);
      }
      await sleep(randomInt(10, 60));
    }
  }

  #isWaitedFor(lockName: string): boolean {
    return lockName !== this.lockNames.at(-1);
  }

  /** In which mode it wants a lock. */
  #modeFor(lockName: string): ModeOptions {
    return chance(this.#isWaitedFor(lockName) ? 40 : 90) ? oneOf(SHARES) : {};
  }

  async #acquire(lockName: string, keepAlive: boolean): Promise<Lease | null> {
    const grantId = chance(50) ? randomUUID() : undefined;
    const options = {
      ttl: randomInt(SHORTEST_TTL, LONGEST_TTL),
      workerName: this.workerName,
      keepAlive,
      grantId,
      wait: this.#isWaitedFor(lockName) && chance(60) ? randomInt(LONGEST_WAIT) : 0,
      signal: chance(20) ? AbortSignal.timeout(randomInt(1, LONGEST_WAIT)) : undefined,
      ...this.#modeFor(lockName),
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
    const isWaitedFor = names.every((lockName) => this.#isWaitedFor(lockName));
    const options = {
      ttl: randomInt(SHORTEST_TTL, LONGEST_TTL),
      workerName: this.workerName,
      wait: isWaitedFor ? randomInt(LONGEST_WAIT) : 0,
    };
    const locks = names.map((lockName) => ({ lockName, ...this.#modeFor(lockName) }));
    const set = await this.client.tryAcquireAll(locks, options).catch(passing);
    if (!set) return;
    for (const lease of set.leases) await this.recorder.use(lease);
    await set.release().catch(passing);
  }

  /** Returns what it shares the lock for by now, whatever it knows of its downgrade. */
  async #use(lease: Lease): Promise<Share | undefined> {
    let share: Share | undefined;
    do {
      await this.recorder.use(lease, share);
      if (chance(30)) await lease.renew().catch(passing);
      if (chance(15)) await this.#repeat(lease);
      if (lease.mode === 'exclusive' && lease.timeLeft > 0 && chance(15))
        share = await this.#downgrade(lease);
      await sleep(randomInt(5, 50));
    } while (lease.timeLeft > 0 && chance(70));
    return share;
  }

  async #downgrade(lease: Lease): Promise<Share> {
    const { limit, permits } = oneOf(SHARES);
    await lease.downgrade({ limit, permits }).catch(passing);
    return { permits: permits ?? 1, limit: limit ?? null };
  }

  /** Works on to the very end of the lease, which nobody renews. */
  async #outlive(lease: Lease, share: Share | undefined): Promise<void> {
    while (lease.timeLeft > 0) {
      await this.recorder.use(lease, share);
      await sleep(Math.min(30, lease.timeLeft / 2));
    }
  }

  /** The handle that a repeat returns is left to its deadline. */
  async #repeat({ lockName, grantId, permits, limit }: Lease): Promise<void> {
    const mode = permits === null ? {} : { permits, limit: limit ?? undefined };
    await this.client
      .tryAcquire(lockName, { workerName: this.workerName, grantId, ttl: LONGEST_TTL, ...mode })
      .catch(passing);
  }
}

/** What a fault may cause. Anything else is a fault of ours. */
export function passing(error: unknown): void {
  const isGivenUp = error instanceof DOMException && error.name === 'TimeoutError';
  if (!(error instanceof LeaseLostError || error instanceof StoreUnavailableError || isGivenUp)) throw error;
}
