/** How much the last try counts for, against all before. */
const WEIGHT = 0.25;

/** The share of requests that a shortcut must answer: the others cost a statement more than without it. */
const WORTH_IT = 0.5;

/** A shortcut that was not worth it is tried again every so many times. */
const AGAIN = 32;

/** Whether it is worth trying a shortcut first that answers some requests only, going by what it answered lately. */
export class Shortcut {
  #share = 1;
  #passedBy = 0;

  isWorthTrying(): boolean {
    if (this.#share < WORTH_IT && ++this.#passedBy < AGAIN) return false;
    this.#passedBy = 0;
    return true;
  }

  /** It answered so many of the requests that it was tried for. */
  tried(answered: number, requests: number): void {
    if (requests > 0) this.#share += WEIGHT * (answered / requests - this.#share);
  }
}
