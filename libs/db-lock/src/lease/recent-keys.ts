/**
 * Remembers which keys were added last: at least the last `atLeast`, and at most twice as many.
 *
 * To add one costs next to nothing: they are indexed only when somebody looks for one, which is rare. RecentMap is for the others.
 */
export class RecentKeys<Key> {
  #young = new Generation<Key>();
  #old = new Generation<Key>();

  constructor(private readonly atLeast: number) {}

  add(key: Key): void {
    if (this.#young.keys.push(key) < this.atLeast) return;
    this.#old = this.#young;
    this.#young = new Generation();
  }

  has(key: Key): boolean {
    return this.#young.has(key) || this.#old.has(key);
  }
}

class Generation<Key> {
  readonly keys: Key[] = [];
  readonly #known = new Set<Key>();
  /** How many of the keys are known. */
  #count = 0;

  has(key: Key): boolean {
    while (this.#count < this.keys.length) this.#known.add(this.keys[this.#count++]!);
    return this.#known.has(key);
  }
}
