/**
 * A set whose first member is found at once, however many have left it before. Taken from a plain Set, it would be found by going
 * over the places of all who have left: V8 keeps those until it makes its table anew.
 */
export class Arrivals<Member> implements Iterable<Member> {
  readonly #members = new Set<Member>();
  #following = this.#members.values();
  #first?: Member;

  get size(): number {
    return this.#members.size;
  }

  /** Who has been in the set for longest. */
  get first(): Member | undefined {
    if (this.#first === undefined && this.size > 0) this.#first = this.#next();
    return this.#first;
  }

  /** Adds a member at the end. */
  add(member: Member): void {
    this.#members.add(member);
  }

  /** @returns whether it was in the set */
  delete(member: Member): boolean {
    if (member === this.#first) this.#first = undefined;
    return this.#members.delete(member);
  }

  [Symbol.iterator](): IterableIterator<Member> {
    return this.#members.values();
  }

  /** One iterator passes each place once. It also tells of members that are added later, until it has said that there are no more. */
  #next(): Member | undefined {
    const { done, value } = this.#following.next();
    if (!done) return value;
    this.#following = this.#members.values();
    return this.#following.next().value;
  }
}
