/** What the book knows of a grant. */
export interface KnownGrant {
  workerName: string | null;
  fencingToken: number | null;
  /** When it was granted, on the monotonic clock in milliseconds; NaN where that is not known, or where the lease was over already. */
  began: number;
}

/** A lease, as far as the book is concerned. Its grantId is a UUID in lower case. */
interface Lease {
  grantId: string;
  workerName: string;
  fencingToken: number;
}

/** The 128 bits of a UUID. */
type Id = Uint32Array;

const WORDS = 4;

/** The index of a page has so many slots for each grant, at least: nearly every look finds its grant, or nothing, at once. */
const SLOTS_PER_GRANT = 3;

const LIVE = 0;
const LOST = 1;
const RELEASED = 2;

/**
 * Remembers which leases began or ended last, by their grantIds: at least the last `atLeast`, and of those that are live as many more.
 *
 * It hears of every grant, of tens of thousands a second. Objects and strings would live just long enough for the garbage collector to
 * copy each of them twice, which cost a fifth of an acquire and its release; numbers in typed arrays cost it nothing. There are two pages of
 * them. When the young one is full it becomes the old one, and the old one begins anew with its live leases: those that are held for long
 * outlast any number of others.
 */
export class GrantBook {
  #young?: Page;
  #old?: Page;
  readonly #id = new Uint32Array(WORDS);

  constructor(private readonly atLeast: number) {}

  /** A lease begins. */
  begin({ grantId, workerName, fencingToken }: Lease, at: number): void {
    readId(grantId, this.#id);
    this.#write(workerName, fencingToken, at, at, LIVE);
  }

  /** A lease was renewed: whether nothing was noted of it for so many milliseconds. Then this is noted. */
  renew({ grantId, workerName, fencingToken }: Lease, at: number, interval: number): boolean {
    const page = this.#find(grantId);
    if (!page) this.#write(workerName, fencingToken, NaN, at, LIVE);
    else if (at - page.noted[page.at]! < interval) return false;
    else page.noted[page.at] = at;
    return true;
  }

  /** Its holder has released a lease, which may be an unknown one. */
  release(grantId: string): KnownGrant | undefined {
    const page = this.#find(grantId);
    const known = page?.end(RELEASED);
    if (page !== this.#young || !known) this.#writeEnd(known, RELEASED);
    return known;
  }

  /** A lease is over that was not released. */
  lose(grantId: string): KnownGrant | undefined {
    const page = this.#find(grantId);
    const known = page?.end(LOST);
    if (page !== this.#young && known) this.#writeEnd(known, LOST);
    return known;
  }

  /** Whether the book knows that the lease was released. */
  isReleased(grantId: string): boolean {
    const page = this.#find(grantId);
    return page !== undefined && page.states[page.at] === RELEASED;
  }

  /** The page that has the grant, turned to it. */
  #find(grantId: string): Page | undefined {
    readId(grantId, this.#id);
    if (this.#young?.turnTo(this.#id)) return this.#young;
    if (this.#old?.turnTo(this.#id)) return this.#old;
    return undefined;
  }

  /** Where the grant stood, if it did, it would be forgotten before others that ended earlier. */
  #writeEnd(known: KnownGrant | undefined, state: number): void {
    this.#write(known?.workerName ?? null, known?.fencingToken ?? NaN, NaN, NaN, state);
  }

  /** Writes down the grant whose id was read last. */
  #write(workerName: string | null, fencingToken: number, began: number, noted: number, state: number): void {
    const page = this.#pageWithRoom();
    const at = page.open(this.#id);
    page.workerNames[at] = workerName;
    page.fencingTokens[at] = fencingToken;
    page.began[at] = began;
    page.noted[at] = noted;
    page.states[at] = state;
  }

  #pageWithRoom(): Page {
    const young = this.#young;
    if (young && !young.isFull) return young;
    const next = this.#old ?? new Page(2 * this.atLeast);
    if (young) next.keepLive(this.atLeast, young);
    this.#old = young;
    this.#young = next;
    return next;
  }
}

/** So many grants, and where they stand: a table of hashes with open addressing. */
class Page {
  /** Where the grants stand, from 1 on; 0 is free. */
  readonly #index: Uint32Array;
  readonly #ids: Uint32Array;
  readonly workerNames: Array<string | null> = [];
  readonly fencingTokens: Float64Array;
  readonly began: Float64Array;
  /** When something was noted of it last. */
  readonly noted: Float64Array;
  readonly states: Uint8Array;
  #count = 0;
  /** The grant that it is turned to. */
  at = 0;

  constructor(private readonly capacity: number) {
    this.#index = new Uint32Array(2 ** Math.ceil(Math.log2(SLOTS_PER_GRANT * capacity)));
    this.#ids = new Uint32Array(WORDS * capacity);
    this.fencingTokens = new Float64Array(capacity);
    this.began = new Float64Array(capacity);
    this.noted = new Float64Array(capacity);
    this.states = new Uint8Array(capacity);
  }

  get isFull(): boolean {
    return this.#count === this.capacity;
  }

  /** Keeps the live leases that came last, at most so many, without those that a newer page knows. */
  keepLive(atMost: number, newer: Page): void {
    const kept: number[] = [];
    for (let at = this.#count - 1; at >= 0 && kept.length < atMost; at--)
      if (this.states[at] === LIVE && !newer.turnTo(this.#idAt(at))) kept.push(at);
    this.#index.fill(0);
    this.#count = 0;
    for (const at of kept.toReversed()) this.#move(at, this.open(this.#idAt(at).slice()));
  }

  turnTo(id: Id): boolean {
    const place = this.#index[this.#slotOf(id)]!;
    this.at = place - 1;
    return place > 0;
  }

  /** The grant's place, which is a new one unless it has one. There must be room. */
  open(id: Id): number {
    const slot = this.#slotOf(id);
    const place = this.#index[slot]!;
    if (place > 0) return place - 1;
    const at = this.#count++;
    this.#index[slot] = at + 1;
    this.#ids.set(id, at * WORDS);
    return at;
  }

  /** Ends the grant that it is turned to. */
  end(state: typeof LOST | typeof RELEASED): KnownGrant {
    const { at } = this;
    const isLive = this.states[at] === LIVE;
    const fencingToken = this.fencingTokens[at]!;
    this.states[at] = state;
    return {
      workerName: this.workerNames[at]!,
      fencingToken: Number.isNaN(fencingToken) ? null : fencingToken,
      began: isLive ? this.began[at]! : NaN,
    };
  }

  #idAt(at: number): Id {
    return this.#ids.subarray(at * WORDS, (at + 1) * WORDS);
  }

  #move(from: number, to: number): void {
    this.workerNames[to] = this.workerNames[from]!;
    for (const column of [this.fencingTokens, this.began, this.noted, this.states])
      column[to] = column[from]!;
  }

  /** Where the index has the grant, or room for it. */
  #slotOf(id: Id): number {
    const mask = this.#index.length - 1;
    let slot = hashOf(id) & mask;
    for (let place; (place = this.#index[slot]!) > 0 && !this.#isAt(place - 1, id);) slot = (slot + 1) & mask;
    return slot;
  }

  #isAt(at: number, id: Id): boolean {
    const start = at * WORDS;
    const ids = this.#ids;
    return (
      ids[start] === id[0] && ids[start + 1] === id[1] && ids[start + 2] === id[2] && ids[start + 3] === id[3]
    );
  }
}

/** Also of UUIDs that a caller counts up: each bit counts. Multipliers as MurmurHash3 has them. */
function hashOf(id: Id): number {
  let hash = 0;
  for (let word = 0; word < WORDS; word++) {
    hash = Math.imul(hash ^ id[word]!, 0x85ebca6b);
    hash ^= hash >>> 13;
    hash = Math.imul(hash, 0xc2b2ae35);
    hash ^= hash >>> 16;
  }
  return hash;
}

/** The bits of a UUID in lower case. */
function readId(grantId: string, id: Id): void {
  let word = 0;
  let digits = 0;
  let bits = 0;
  for (let at = 0; at < grantId.length; at++) {
    const code = grantId.charCodeAt(at);
    if (code === DASH) continue;
    bits = (bits << 4) | ((code & 15) + (code >> 6) * 9);
    if (++digits % 8 === 0) id[word++] = bits;
  }
}

const DASH = '-'.charCodeAt(0);
