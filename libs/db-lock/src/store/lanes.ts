/** A connection, with the statements that stand in line for it. */
export interface Line {
  /** How many statements are under way or stand in line. */
  readonly pending: number;
  close(): Promise<void>;
}

/** Lanes of one purpose: as many as statements are under way, up to a bound; those beyond it stand in line. */
export class Lanes<Lane extends Line> {
  readonly #lanes: Lane[] = [];
  #closed = false;

  /** @param open makes a lane; a spare one gives its connection back when it has nothing to do */
  constructor(
    private readonly open: (isSpare: boolean) => Lane,
    private readonly most: number,
  ) {}

  /** The first that is idle, else another one, else that with the shortest line. */
  get next(): Lane {
    const idle = this.#lanes.find(({ pending }) => pending === 0);
    if (idle) return idle;
    if (this.#lanes.length < this.most) {
      const lane = this.open(this.#closed || this.#lanes.length > 0);
      this.#lanes.push(lane);
      return lane;
    }
    return this.#lanes.reduce((best, lane) => (lane.pending < best.pending ? lane : best));
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#lanes.map((lane) => lane.close()));
  }
}
