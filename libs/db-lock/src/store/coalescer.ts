import { monotonicNow } from '../lease/clock.js';
import { OverloadedError, StoreUnavailableError } from '../lease/errors.js';

/** How one kind of request is put together into batches. */
export interface CoalescerOptions<Request, Answer> {
  /** Answers each request of a batch, at its index. */
  answer: (batch: readonly Request[]) => Promise<readonly Answer[]>;
  /** The most requests in one batch. */
  maxBatch: number;
  /** Milliseconds after which a request that is still queued is given up unsent. */
  maxAge: number;
  /** The most requests that queue; more are refused with an `OverloadedError`. Default: no limit. */
  maxQueued?: number;
  /** The most batches under way: more than one only where those under way are slow, or the next is worth it. Default 1. */
  maxUnderWay?: number;
  /** So many requests are worth a batch beside one that is under way. Default: none are. */
  worthIt?: number;
  /** Called when a batch has its answers; without any where it failed. Never throws. */
  onAnswered?: ((batch: AnsweredBatch<Answer>) => void) | undefined;
}

/** A batch, with when it was sent and answered, on this process's monotonic clock. */
export interface AnsweredBatch<Answer> {
  size: number;
  sentAt: number;
  answeredAt: number;
  answers: readonly Answer[];
}

/** Whether the one who asked has given up; an AbortSignal will do. */
export type Absence = Pick<AbortSignal, 'aborted' | 'reason' | 'throwIfAborted'>;

interface Queued<Request, Answer> {
  request: Request;
  since: number;
  absence: Absence | undefined;
  resolve: (answer: Answer) => void;
  reject: (error: Error) => void;
}

/**
 * A batch is slow that takes so many times as long as usual, but for these bounds in milliseconds: those behind it need not wait for it.
 * Where each batch takes long, as with a database that is far away, another one beside it would not be answered sooner.
 */
const SLOW = { times: 2, least: 5, most: 50 };

/** How much the last batch counts for in what is usual, against all before; and of one that stood still, so many times the usual. */
const WEIGHT = 0.2;
const OUTLIER = 4;

/**
 * After so many batches that left at once, one lets the event loop turn. It must: whoever asks again as soon as an answer is there, which
 * a store that is down may give at once, would stop it for good.
 */
const MOST_WITHOUT_TURN = 100;

/**
 * So many requests that queue when a batch has been answered leave before its answers are told: the store has work while this process
 * tells them. Fewer gain more from those who ask again as soon as they are told.
 */
const WORTH_HURRYING = 64;

/** The request never left the queue, so it certainly had no effect. */
export class QueuedTooLongError extends StoreUnavailableError {}

/**
 * Turns single requests into batches: whatever arrives while a batch is on its way is the next one. The first request of
 * an idle coalescer leaves as soon as the code that has made it waits, with all that was asked for until then; where
 * several went together the last time, at the end of the event loop's turn, with the others of that turn. First come, first served.
 */
export class Coalescer<Request, Answer> {
  #queue: Array<Queued<Request, Answer>> = [];
  /** When those that are under way were sent, the oldest first. */
  readonly #underWay: number[] = [];
  /** Milliseconds that a batch takes. */
  #usual = 0;
  #scheduled = false;
  /** The last batch had one request only. */
  #alone = true;
  /** How many batches have left since one let the event loop turn. */
  #withoutTurn = 0;
  #timer?: NodeJS.Timeout;

  constructor(private readonly options: CoalescerOptions<Request, Answer>) {}

  /**
   * @param absence takes the request out of the queue, if it is still there: then it had no effect
   * @param since when it is asked, by the clock that the caller has just read
   */
  submit(request: Request, absence?: Absence, since = monotonicNow()): Promise<Answer> {
    const { maxQueued = Infinity } = this.options;
    if (this.#queue.length >= maxQueued) return Promise.reject(new OverloadedError(maxQueued));
    return new Promise((resolve, reject) => {
      this.#queue.push({ request, since, absence, resolve, reject });
      this.#next();
    });
  }

  /** How many requests queue. */
  get queued(): number {
    return this.#queue.length;
  }

  /** Whether any request is queued or under way. */
  get isBusy(): boolean {
    return this.#queue.length > 0 || this.#underWay.length > 0;
  }

  /** Sends the next batch as soon as there may be one. */
  #next(): void {
    if (this.#scheduled || this.#queue.length === 0) return;
    const patience = this.#patience();
    if (patience === 0) {
      this.#scheduled = true;
      if (this.#alone && this.#withoutTurn++ < MOST_WITHOUT_TURN) process.nextTick(() => void this.#send());
      else {
        this.#withoutTurn = 0;
        setImmediate(() => void this.#send());
      }
    } else if (patience < Infinity && !this.#timer)
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.#next();
      }, patience);
  }

  /** For how many milliseconds the next batch waits for those under way, unless they end before. */
  #patience(): number {
    const { maxUnderWay = 1, worthIt = Infinity } = this.options;
    const newest = this.#underWay.at(-1);
    if (newest === undefined) return 0;
    if (this.#underWay.length >= maxUnderWay) return Infinity;
    if (this.#queue.length >= worthIt) return 0;
    const slow = Math.min(Math.max(SLOW.times * this.#usual, SLOW.least), SLOW.most);
    return Math.max(0, Math.ceil(newest + slow - monotonicNow()));
  }

  #learn(took: number): void {
    if (this.#usual === 0) this.#usual = took;
    else this.#usual += WEIGHT * (Math.min(took, OUTLIER * this.#usual) - this.#usual);
  }

  async #send(): Promise<void> {
    this.#scheduled = false;
    const batch = this.#takeBatch();
    if (batch.length === 0) return this.#next();
    this.#alone = batch.length === 1;
    const sent = monotonicNow();
    this.#underWay.push(sent);
    this.#next();
    let tell: () => void;
    let answers: readonly Answer[] = [];
    try {
      answers = await this.options.answer(batch.map(({ request }) => request));
      tell = () => batch.forEach(({ resolve }, index) => resolve(answers[index]!));
    } catch (error) {
      tell = () => batch.forEach(({ reject }) => reject(error as Error));
    }
    const answeredAt = this.#ended(sent);
    tell();
    this.#next();
    this.options.onAnswered?.({ size: batch.length, sentAt: sent, answeredAt, answers });
  }

  /** A batch has been answered; nobody has been told yet. Returns when that was. */
  #ended(sent: number): number {
    const answeredAt = monotonicNow();
    this.#underWay.splice(this.#underWay.indexOf(sent), 1);
    this.#learn(answeredAt - sent);
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const hurries =
      this.#queue.length >= WORTH_HURRYING && !this.#scheduled && this.#withoutTurn++ < MOST_WITHOUT_TURN;
    if (hurries && this.#patience() === 0) void this.#send();
    return answeredAt;
  }

  #takeBatch(): Array<Queued<Request, Answer>> {
    const { maxBatch, maxAge } = this.options;
    const oldest = monotonicNow() - maxAge;
    const batch: Array<Queued<Request, Answer>> = [];
    let taken = 0;
    for (; taken < this.#queue.length && batch.length < maxBatch; taken++) {
      const queued = this.#queue[taken]!;
      if (queued.absence?.aborted) queued.reject(queued.absence.reason as Error);
      else if (queued.since >= oldest) batch.push(queued);
      else queued.reject(new QueuedTooLongError('The request waited too long for the lock store.'));
    }
    this.#queue = taken === this.#queue.length ? [] : this.#queue.slice(taken);
    return batch;
  }
}
