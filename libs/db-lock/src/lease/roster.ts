/** Who may stand in a roster, in one at a time. */
export interface Listed {
  /** Where it stands there; the roster sees to that. */
  place: number;
}

/** The place of who stands in no roster. */
export const NOWHERE = -1;

/**
 * A set whose members know their places, in no order. For thousands that come and go every second: a Set makes its table anew all the
 * time then, and the garbage collector takes each member for one of an older table, and keeps it far too long.
 */
export class Roster<Member extends Listed> implements Iterable<Member> {
  readonly #members: Member[] = [];

  get size(): number {
    return this.#members.length;
  }

  /** The member must not stand in a roster. */
  add(member: Member): void {
    member.place = this.#members.push(member) - 1;
  }

  /** Does nothing with who does not stand in it. */
  delete(member: Member): void {
    const { place } = member;
    if (this.#members[place] !== member) return;
    const last = this.#members.pop()!;
    if (last !== member) {
      this.#members[place] = last;
      last.place = place;
    }
    member.place = NOWHERE;
  }

  [Symbol.iterator](): IterableIterator<Member> {
    return this.#members.values();
  }
}
