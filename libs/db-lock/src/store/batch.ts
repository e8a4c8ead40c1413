import { setTimeout as sleep } from 'node:timers/promises';
import type { ErrorAnswer } from './lock-store.js';
import { monotonicNow } from '../lease/clock.js';
import { StoreUnavailableError } from '../lease/errors.js';

/** How often what the database rolled back for a conflict is tried, unless it says otherwise. */
const CONFLICT_TRIES = 3;

/** After so many tries, there is a pause before the next: up to so many milliseconds. */
const AT_ONCE = 3;
const PAUSE = 10;

/** What a database's errors say. */
export interface Faults {
  /** How often what was rolled back for a conflict is tried; default 3. */
  readonly tries?: number;
  /** It was rolled back because of a conflict with another transaction, and is to be done again. */
  isConflict: (error: unknown) => boolean;
  /**
   * Who of several requests may be to blame: `one` of them, such as one whose data don't fit; or `each`, if each try with that one takes long
   * again, and with all others of its lock. Undefined where the whole failed.
   */
  blames(error: unknown): 'one' | 'each' | undefined;
}

export interface BatchOptions {
  faults: Faults;
  /** The most milliseconds that are spent on finding out who is to blame. */
  patience: number;
}

/**
 * Answers each request by itself: names are unique within one batch, and when the database refuses a batch because of one request (a row
 * that somebody keeps locked), the others get their turn.
 */
export async function answerEach<Request extends { lockName: string }, Answer>(
  requests: readonly Request[],
  options: BatchOptions,
  answer: (batch: readonly Request[]) => Promise<Answer[]>,
): Promise<Array<Answer | ErrorAnswer>> {
  if (requests.length === 0) return [];
  if (haveUniqueNames(requests)) return answerTogether(requests, options, answer);
  return answerInParts(requests, roundsOfUniqueNames(requests), (round) =>
    answerTogether(round, options, answer),
  );
}

/**
 * Answers one part after the other, each request at its own index.
 * @param parts the indexes of the requests in each; together, of all
 */
export async function answerInParts<Request, Answer>(
  requests: readonly Request[],
  parts: ReadonlyArray<readonly number[]>,
  answer: (part: Request[]) => Promise<Answer[]>,
): Promise<Answer[]> {
  const answers = new Array<Answer>(requests.length);
  for (const indexes of parts) {
    const answered = await answer(indexes.map((index) => requests[index]!));
    indexes.forEach((index, position) => (answers[index] = answered[position]!));
  }
  return answers;
}

const haveUniqueNames = (requests: ReadonlyArray<{ lockName: string }>) =>
  new Set(requests.map(({ lockName }) => lockName)).size === requests.length;

/** Indexes, grouped so that no group has a name twice and the requests of one name keep their order. */
function roundsOfUniqueNames(requests: ReadonlyArray<{ lockName: string }>): number[][] {
  const rounds: number[][] = [];
  const seen = new Map<string, number>();
  requests.forEach(({ lockName }, index) => {
    const round = seen.get(lockName) ?? 0;
    seen.set(lockName, round + 1);
    (rounds[round] ??= []).push(index);
  });
  return rounds;
}

/**
 * All together, also several of one name; when one is to blame for a refusal, in ever smaller parts, so that it costs the others a few
 * statements. Each has its own answer, at its index, whatever part it was in.
 * @param deadline until when others are tried, on this process's monotonic clock
 */
export async function answerTogether<Request extends { lockName: string }, Answer>(
  batch: readonly Request[],
  options: BatchOptions,
  answer: (batch: readonly Request[]) => Promise<Answer[]>,
  deadline?: number,
): Promise<Array<Answer | ErrorAnswer>> {
  try {
    return await repeatConflicts(options.faults, () => answer(batch));
  } catch (error) {
    const parts = partsToBlame(batch, options.faults.blames(error));
    if (!parts) return batch.map(() => errorAnswer(error));
    const end = deadline ?? monotonicNow() + options.patience;
    return answerInParts(batch, parts, async (part) =>
      monotonicNow() < end ? answerTogether(part, options, answer, end) : part.map(() => errorAnswer(error)),
    );
  }
}

/** The parts of which one may be to blame for an error, as indexes of the batch; undefined when the whole failed. */
function partsToBlame(
  batch: ReadonlyArray<{ lockName: string }>,
  blamed: ReturnType<Faults['blames']>,
): number[][] | undefined {
  if (batch.length === 1 || blamed === undefined) return undefined;
  if (blamed === 'each') {
    // Those of one lock together: they share its row, and with it what keeps them waiting.
    const parts = [...indexesByLock(batch).values()];
    return parts.length > 1 ? parts : undefined;
  }
  const indexes = batch.map((_, index) => index);
  const half = Math.ceil(batch.length / 2);
  return [indexes.slice(0, half), indexes.slice(half)];
}

/** The indexes of the requests for each lock, in their order. */
export function indexesByLock(requests: ReadonlyArray<{ lockName: string }>): Map<string, number[]> {
  const byName = new Map<string, number[]>();
  for (const [index, { lockName }] of requests.entries()) {
    const indexes = byName.get(lockName);
    if (indexes) indexes.push(index);
    else byName.set(lockName, [index]);
  }
  return byName;
}

/** Repeats what the server rolled back because of a conflict with another transaction. */
export async function repeatConflicts<Result>(
  { isConflict, tries: most = CONFLICT_TRIES }: Pick<Faults, 'isConflict' | 'tries'>,
  run: () => Promise<Result>,
): Promise<Result> {
  for (let tries = 1; ; tries++) {
    try {
      return await run();
    } catch (error) {
      if (tries >= most || !isConflict(error)) throw error;
    }
    if (tries >= AT_ONCE) await sleep(Math.random() * PAUSE);
  }
}

export function unavailable(cause: unknown): StoreUnavailableError {
  const why = cause instanceof Error && cause.message ? cause.message : String(cause);
  return new StoreUnavailableError(`The lock store did not answer: ${why}`, { cause });
}

export function errorAnswer(cause: unknown): ErrorAnswer {
  return { outcome: 'error', error: unavailable(cause) };
}
