/** How many slots there are for each doubling of a duration: a percentile is off by less than a fifth. */
const SLOTS_PER_DOUBLING = 4;

/** Up to 2^32 ms, seven weeks; what lasts longer counts there. */
const SLOTS = 32 * SLOTS_PER_DOUBLING;

/** How often durations were of which length. Slots grow with the durations, so a few of them cover milliseconds and weeks. */
export class Histogram {
  readonly slots = new Array<number>(SLOTS).fill(0);

  /** @param duration in milliseconds */
  add(duration: number): void {
    const slot = Math.floor(Math.log2(Math.max(0, duration) + 1) * SLOTS_PER_DOUBLING);
    this.slots[Math.min(slot, SLOTS - 1)]!++;
  }
}

/** What so many of a hundred durations did not exceed, in milliseconds; null where there are none. */
export interface Percentiles {
  count: number;
  p50: number | null;
  p90: number | null;
  p99: number | null;
}

/** @param slots of a histogram, or of several, added up */
export function percentilesOf(slots: readonly number[]): Percentiles {
  const count = slots.reduce((sum, slot) => sum + slot, 0);
  const percentile = (share: number): number | null => {
    if (count === 0) return null;
    let below = 0;
    const slot = slots.findIndex((size) => (below += size) >= share * count);
    return middleOf(slot);
  };
  return { count, p50: percentile(0.5), p90: percentile(0.9), p99: percentile(0.99) };
}

/** The middle of a slot; that of the first one is 0: what took no time that could be measured. */
function middleOf(slot: number): number {
  if (slot === 0) return 0;
  const middle = 2 ** ((slot + 0.5) / SLOTS_PER_DOUBLING) - 1;
  return middle < 10 ? Math.round(middle * 10) / 10 : Math.round(middle);
}
