import type { Attributes } from '@opentelemetry/api';
import { LOCK } from './metrics.js';

/** What stands for a lock in metrics; undefined for one that shall not be told apart from others. */
export type LockLabel = (lockName: string) => string | undefined;

/** So many labels are told apart. Each has eight points of the largest metrics, and OpenTelemetry keeps 2,000 of one. */
const MOST_LABELS = 200;

/** What stands for all beyond them. */
export const OTHER_LOCKS = '_OTHER';

/** What there is once for each label, or once only where locks have none. */
export class Labelled<Item> {
  readonly #unlabelled: Item;
  readonly #byLabel = new Map<string, Item>();

  constructor(
    private readonly labelOf: LockLabel | undefined,
    private readonly make: (attributes: Attributes) => Item,
  ) {
    this.#unlabelled = make({});
  }

  of(lockName: string): Item {
    const label = this.labelOf && this.#label(lockName);
    return label === undefined ? this.#unlabelled : this.#labelled(label);
  }

  /** What throws has no label: no lock shall fail for a metric. */
  #label(lockName: string): string | undefined {
    try {
      return this.labelOf!(lockName);
    } catch {
      return undefined;
    }
  }

  #labelled(label: string): Item {
    const known = this.#byLabel.get(label);
    if (known) return known;
    if (this.#byLabel.size >= MOST_LABELS && label !== OTHER_LOCKS) return this.#labelled(OTHER_LOCKS);
    const item = this.make({ [LOCK]: label });
    this.#byLabel.set(label, item);
    return item;
  }
}
