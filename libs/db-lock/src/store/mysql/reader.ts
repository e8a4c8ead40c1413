import { repeatConflicts, unavailable } from '../batch.js';
import { toTime } from '../rows.js';
import { FAULTS, isRowLocked } from './errors.js';
import type { Packet } from './fragments.sql.js';
import type { Lanes } from './lane.js';
import type { LockStatements } from './locks.sql.js';

/** The connections of those who look at locks from outside: never in the way of those who take them. */
export class Reader {
  constructor(
    private readonly lanes: Lanes,
    private readonly sql: Pick<LockStatements, 'clock'>,
  ) {}

  /** Rejects as the database does. */
  run<Told extends ReadonlyArray<readonly unknown[]>>(packet: Packet): Promise<Told> {
    return this.lanes.run<Told>(packet);
  }

  /**
   * Rejects with `StoreUnavailableError`.
   * @param packet made anew for each try
   */
  async ask<Told extends ReadonlyArray<readonly unknown[]>>(packet: () => Packet): Promise<Told> {
    try {
      return await repeatConflicts(FAULTS, () => this.run<Told>(packet()));
    } catch (error) {
      throw unavailable(error);
    }
  }

  /** The database's clock. */
  async now(): Promise<Date> {
    const [[row]] = await this.ask<[[{ server_time: string }]]>(() => this.sql.clock);
    return toTime(row.server_time);
  }

  /**
   * Goes through the locks' table in the order of names, each chunk in a transaction of its own. Where somebody keeps a row locked, its chunk
   * stays as it is until the next time.
   * @param look tells the last name of the chunk behind a name, and which of its locks are meant
   * @param work does it, and tells to how many
   */
  async inChunks(
    look: (after: string) => Packet,
    work: (lockNames: readonly string[]) => Packet,
  ): Promise<number> {
    let total = 0;
    for (let after = ''; ;) {
      const [[chunk], meant] = await this.ask<[[{ last: string | null }], Array<{ lock_name: string }>]>(() =>
        look(after),
      );
      if (meant.length > 0)
        total += await this.#workOn(
          meant.map(({ lock_name }) => lock_name),
          work,
        );
      if (chunk.last === null) return total;
      after = chunk.last;
    }
  }

  async #workOn(
    lockNames: readonly string[],
    work: (lockNames: readonly string[]) => Packet,
  ): Promise<number> {
    try {
      const [[done]] = await repeatConflicts(FAULTS, () => this.run<[[{ count: string }]]>(work(lockNames)));
      return Number(done.count);
    } catch (error) {
      if (isRowLocked(error)) return 0;
      throw unavailable(error);
    }
  }
}
