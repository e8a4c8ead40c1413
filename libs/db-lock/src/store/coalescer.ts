/** How one kind of request is put together into batches. */
export interface CoalescerOptions<Request, Answer> {
  /** Answers each request of a batch, at its index. */
  answer: (batch: readonly Request[]) => Promise<readonly Answer[]>;
  /** The most requests in one batch. */
  maxBatch: number;
  /** Milliseconds after which a request that is still queued is given up unsent. */
  maxAge: number;
}

interface Queued<Request, Answer> {
  request: Request;
  since: number;
  resolve: (answer: Answer) => void;
  reject: (error: Error) => void;
}

/** The request never left the queue, so it certainly had no effect. */
export class QueuedTooLongError extends Error {}

/**
 * Turns single requests into batches: whatever arrives while a batch is on its way is the next one. The first request of
 * an idle coalescer leaves at the end of the event loop's turn, together with the others of that turn.
 */
export class Coalescer<Request, Answer> {
  #queue: Array<Queued<Request, Answer>> = [];
  #busy = false;

  constructor(private readonly options: CoalescerOptions<Request, Answer>) {}

  submit(request: Request): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ request, since: performance.now(), resolve, reject });
      if (!this.#busy) this.#sendSoon();
    });
  }

  #sendSoon(): void {
    this.#busy = true;
    setImmediate(() => void this.#send());
  }

  async #send(): Promise<void> {
    const batch = this.#takeBatch();
    try {
      const answers =
        batch.length === 0 ? [] : await this.options.answer(batch.map(({ request }) => request));
      batch.forEach(({ resolve }, index) => resolve(answers[index]!));
    } catch (error) {
      for (const { reject } of batch) reject(error as Error);
    }
    this.#busy = false;
    if (this.#queue.length > 0) this.#sendSoon();
  }

  #takeBatch(): Array<Queued<Request, Answer>> {
    const oldest = performance.now() - this.options.maxAge;
    const batch: Array<Queued<Request, Answer>> = [];
    let taken = 0;
    for (; taken < this.#queue.length && batch.length < this.options.maxBatch; taken++) {
      const queued = this.#queue[taken]!;
      if (queued.since >= oldest) batch.push(queued);
      else queued.reject(new QueuedTooLongError('The request waited too long for the lock store.'));
    }
    this.#queue = this.#queue.slice(taken);
    return batch;
  }
}
