import type { AcceptedWrite, DatabaseTime } from './history.js';
import type { Resource } from './resource.js';
import type { Witness } from './witness.js';

/** A resource in the memory of the clients' process, which outlives every crash of the database. */
export class GuardedMemory implements Resource {
  readonly #tokens = new Map<string, number>();
  readonly #writes: AcceptedWrite[] = [];

  /** @param clock the database's */
  constructor(private readonly clock: Pick<Witness, 'now'>) {}

  async create(): Promise<void> {}

  /** The clock is read when it is written: who trusts its lease after that had it all the time. */
  async write(lockName: string, token: number): Promise<{ accepted: boolean; at: DatabaseTime }> {
    const accepted = token >= (this.#tokens.get(lockName) ?? 0);
    if (accepted) {
      this.#tokens.set(lockName, token);
      this.#writes.push({ lockName, token });
    }
    return { accepted, at: await this.clock.now() };
  }

  async acceptedWrites(): Promise<AcceptedWrite[]> {
    return this.#writes;
  }

  async close(): Promise<void> {}
}
