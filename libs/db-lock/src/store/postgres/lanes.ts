import type { DataSource } from 'typeorm';
import { Lane, type LaneOptions } from './lane.js';
import type { Statement } from './fragments.sql.js';

/** Lanes of one purpose: as many as statements are under way, up to a bound; those beyond it stand in line. */
export class Lanes {
  readonly #lanes: Lane[] = [];
  #closed = false;

  constructor(
    private readonly dataSource: DataSource,
    private readonly options: Omit<LaneOptions, 'spare'>,
    private readonly most: number,
  ) {}

  /** Runs one statement. Rejects when the server refuses it, and when its outcome is unknown. */
  run<Row>(statement: Statement, values: readonly unknown[]): Promise<Row[]> {
    return this.#lane().run(statement, values);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#lanes.map((lane) => lane.close()));
  }

  /** The first that is idle, else another one, else that with the shortest line. */
  #lane(): Lane {
    const idle = this.#lanes.find(({ pending }) => pending === 0);
    if (idle) return idle;
    if (this.#lanes.length < this.most) {
      const lane = new Lane(this.dataSource, {
        ...this.options,
        spare: this.#closed || this.#lanes.length > 0,
      });
      this.#lanes.push(lane);
      return lane;
    }
    return this.#lanes.reduce((best, lane) => (lane.pending < best.pending ? lane : best));
  }
}
