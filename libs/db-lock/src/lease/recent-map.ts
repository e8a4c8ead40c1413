/**
 * Remembers what was set last: at least the last `atLeast` keys, and at most twice as many.
 *
 * It keeps two generations of Maps. When the young one is full it becomes the old one, and the old one is dropped as a whole. To
 * delete the oldest key of one Map at each `set` would be far slower: V8 keeps the places of deleted keys, and goes over all
 * of them to find the first that is left.
 */
export class RecentMap<Key, Value> {
  #young = new Map<Key, Value>();
  #old = new Map<Key, Value>();

  constructor(private readonly atLeast: number) {}

  get(key: Key): Value | undefined {
    return this.#young.get(key) ?? this.#old.get(key);
  }

  has(key: Key): boolean {
    return this.#young.has(key) || this.#old.has(key);
  }

  /** Makes the key the youngest. */
  set(key: Key, value: Value): void {
    this.#young.set(key, value);
    if (this.#young.size < this.atLeast) return;
    this.#old = this.#young;
    this.#young = new Map();
  }

  delete(key: Key): void {
    this.#young.delete(key);
    this.#old.delete(key);
  }
}
