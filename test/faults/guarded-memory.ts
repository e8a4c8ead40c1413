import type { LockMode } from '../../libs/db-lock/src/lease/modes.js';
import type { AcceptedUse, DatabaseTime } from './history.js';
import type { Resource } from './resource.js';
import type { Witness } from './witness.js';

/** A resource in the memory of the clients' process, which outlives every crash of the database. */
export class GuardedMemory implements Resource {
  readonly #tokens = new Map<string, number>();
  readonly #writerTokens = new Map<string, number>();
  readonly #uses: AcceptedUse[] = [];

  /** @param clock the database's */
  constructor(private readonly clock: Pick<Witness, 'now'>) {}

  async create(): Promise<void> {}

  /** The clock is read when it is used: who trusts its lease after that had it all the time. */
  async use(
    lockName: string,
    token: number,
    mode: LockMode,
  ): Promise<{ accepted: boolean; at: DatabaseTime }> {
    const rivals = mode === 'exclusive' ? this.#tokens : this.#writerTokens;
    const accepted = token >= (rivals.get(lockName) ?? 0);
    if (accepted) {
      this.#tokens.set(lockName, Math.max(token, this.#tokens.get(lockName) ?? 0));
      if (mode === 'exclusive') this.#writerTokens.set(lockName, token);
      this.#uses.push({ lockName, token, mode });
    }
    return { accepted, at: await this.clock.now() };
  }

  async acceptedUses(): Promise<AcceptedUse[]> {
    return this.#uses;
  }

  async close(): Promise<void> {}
}
