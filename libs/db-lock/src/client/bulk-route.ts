import { Logger } from '@nestjs/common';
import { z } from 'zod';
import type { bulkRequestSchema } from '../server/bulk.schemas.js';
import type { HttpAnswer, HttpExchange } from './http-exchange.js';

/** One request as a bulk carries it. */
export type BulkItem = z.input<typeof bulkRequestSchema>;

const PATH = 'leases';

/** Bytes of one body: the smallest limit that a parser of bodies has by default (Express, 100 KB) lies well above. */
const MAX_BYTES = 64_000;

/** What a server answers that knows no bulks, or none as large or of this kind; then it has done nothing. */
const REFUSALS = new Set([400, 404, 405, 413]);

/** What matters of a bulk's answer; each request looks at its own. */
const answerSchema = z.object({
  answers: z.array(
    z.object({ status: z.int(), lease: z.unknown().optional(), problem: z.unknown().optional() }),
  ),
});

/** A server's route for many requests in one. */
export class BulkRoute {
  readonly #logger = new Logger('DbLock');
  #known = true;

  constructor(private readonly http: HttpExchange) {}

  /** Whether the server has the route, as far as is known. */
  get known(): boolean {
    return this.#known;
  }

  /**
   * Answers each item at its index as a route of its own would, or null when the server knows no bulks: then nothing was done,
   * and nothing is sent that way any more.
   * @throws what HttpExchange throws, when there is no answer to the whole
   */
  async send(items: readonly string[], signal?: AbortSignal): Promise<HttpAnswer[] | null> {
    const body = `{"requests":[${items.join(',')}]}`;
    const answer = await this.http.exchange({ method: 'POST', path: PATH, body, signal, isBulk: true });
    if (REFUSALS.has(answer.status)) {
      if (this.#known)
        this.#logger.debug(
          `The lock server takes no bulks (HTTP ${answer.status}): it gets each request by itself from now on.`,
        );
      this.#known = false;
      return null;
    }
    const read = answerSchema.safeParse(answer.json);
    if (answer.status !== 200 || !read.success || read.data.answers.length !== items.length)
      throw this.http.unexpected(answer);
    const { sentAt } = answer;
    return read.data.answers.map(({ status, lease, problem }) => ({
      status,
      json: lease ?? problem,
      sentAt,
    }));
  }
}

/** Groups in their order, each small enough for one body. */
export function inBodies<Item>(items: readonly Item[], textOf: (item: Item) => string): Item[][] {
  const bodies: Item[][] = [];
  let room = 0;
  for (const item of items) {
    const bytes = Buffer.byteLength(textOf(item)) + 1;
    if (bytes > room) {
      bodies.push([]);
      room = MAX_BYTES;
    }
    bodies.at(-1)!.push(item);
    room -= bytes;
  }
  return bodies;
}
