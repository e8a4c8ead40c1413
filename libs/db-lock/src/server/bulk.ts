import { HttpStatus, Logger } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import type { z } from 'zod';
import { StoreUnavailableError } from '../lease/errors.js';
import { parseRequest } from '../lease/requests.js';
import type { Absence } from '../store/coalescer.js';
import { bulkRequestSchema, type bulkAnswerJson } from './bulk.schemas.js';
import type { AcquireResult, LockServer } from './lock-server.js';
import { orBusy, orLost } from './outcomes.js';
import { logFailure } from './problem.filter.js';
import { problemOf } from './problem.js';
import { toLeaseJson } from './schemas.js';

type Answer = z.input<typeof bulkAnswerJson>;
type Grant = Exclude<AcquireResult, { outcome: 'busy' }>;

/** Who sent a bulk. */
export interface BulkCaller {
  /** The worker of acquires that name none. */
  workerName: string;
  absence: Absence;
}

/** How long a bulk that is answered in part waits for one answer more, in parts of the time a request may queue: 500 ms by default. */
const LULL = 0.1;

const SLOWER = 'The lock store did not answer a part of a bulk in time.';

const logger = new Logger('DbLock');

/**
 * Answers many requests at once, each by itself and at its index; in which order they take effect is open. One that takes far
 * longer than the others does not hold them up: what becomes of it is unknown then. Whoever has gone before the bulk is
 * answered has read nothing: what was granted goes back.
 */
export async function answerBulk(
  server: LockServer,
  requests: readonly unknown[],
  caller: BulkCaller,
): Promise<Answer[]> {
  const bulk = new Bulk(server, caller);
  const answers = await bulk.answer(requests);
  if (caller.absence.aborted) {
    for (const grant of bulk.granted) server.giveBack(grant);
    caller.absence.throwIfAborted();
  }
  return answers;
}

class Bulk implements Absence {
  readonly granted: Grant[] = [];
  readonly #logged = new Set<string>();
  #answered = false;

  constructor(
    private readonly server: LockServer,
    private readonly caller: BulkCaller,
  ) {}

  /** Nobody gets to know what is granted when the bulk has been answered. */
  get aborted(): boolean {
    return this.#answered || this.caller.absence.aborted;
  }

  get reason(): unknown {
    return this.caller.absence.reason as unknown;
  }

  throwIfAborted(): void {
    if (this.aborted) throw this.reason;
  }

  async answer(requests: readonly unknown[]): Promise<Answer[]> {
    const answers = new Map<number, Answer>();
    await new Promise<void>((resolve) => {
      let lull: NodeJS.Timeout | undefined;
      const gather = async (request: unknown, index: number) => {
        const answer = await this.#answerOrProblem(request);
        if (this.#answered) return;
        answers.set(index, answer);
        if (answers.size === requests.length) {
          clearTimeout(lull);
          resolve();
        } else if (answer.status !== 400)
          lull = lull?.refresh() ?? setTimeout(resolve, this.server.queueTimeout * LULL);
      };
      for (const [index, request] of requests.entries()) void gather(request, index);
    });
    this.#answered = true;
    return requests.map((_, index) => answers.get(index) ?? this.#problem(new StoreUnavailableError(SLOWER)));
  }

  async #answerOrProblem(request: unknown): Promise<Answer> {
    try {
      return await this.#answer(request);
    } catch (error) {
      return this.#problem(error);
    }
  }

  async #answer(raw: unknown): Promise<Answer> {
    const request = parseRequest(bulkRequestSchema, raw);
    const { lockName } = request;
    switch (request.action) {
      case 'acquire': {
        const { action: _, workerName = this.caller.workerName, grantId = randomUUID(), ...rest } = request;
        const grant = orBusy(await this.server.tryChecked({ workerName, grantId, ...rest }, this));
        this.granted.push(grant);
        const { lease, repeated } = grant;
        return { status: repeated ? HttpStatus.OK : HttpStatus.CREATED, lease: toLeaseJson(lease) };
      }
      case 'renew': {
        const { grantId, ttl } = request;
        const { lease } = orLost(lockName, await this.server.renewChecked({ lockName, grantId, ttl }));
        return { status: HttpStatus.OK, lease: toLeaseJson(lease) };
      }
      case 'release': {
        const { grantId, minHold } = request;
        orLost(lockName, await this.server.releaseChecked({ lockName, grantId, minHold }));
        return { status: HttpStatus.NO_CONTENT };
      }
    }
  }

  /** What befalls many is logged once. */
  #problem(error: unknown): Answer {
    const problem = problemOf(error);
    const { status, code } = problem.body;
    if (!this.#logged.has(code)) logFailure(logger, problem, error);
    this.#logged.add(code);
    return { status, problem: problem.body };
  }
}
