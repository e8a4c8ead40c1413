import { setTimeout as sleep } from 'node:timers/promises';
import type { ErrorAnswer } from './lock-store.js';
import { isRefusal, sqlState } from './lane.js';
import { monotonicNow } from '../lease/clock.js';
import { StoreUnavailableError } from '../lease/errors.js';

/** How often a statement is repeated that the server rolled back for a conflict. */
const CONFLICT_TRIES = 3;

const CONFLICTS = new Set(['40001', '40P01']);

/** A set of locks of which one was taken meanwhile; see the statement `acquireSet`. */
const TAKEN_MEANWHILE = '22012';

/** How often an acquire of such a set asks, and the longest pause before it asks again, in milliseconds. */
const RACE = { tries: 50, pause: 10 };

/** One request may be to blame for these: its data do not fit, or a trigger or a policy of the table refuses it. */
const BLAMES_ONE = /^(22|23|38|39|40|42501|44|P0)/;

/** Likewise: somebody else keeps the row locked. Each try with it in takes that long again. */
const ROW_LOCKED = '55P03';

/**
 * Answers each request by itself, spending at most `patience` milliseconds on finding the one to blame: names are
 * unique within one statement (a name twice would be error 21000), and when the server refuses a statement because of one
 * request (a row that somebody keeps locked), the others get their turn.
 */
export async function answerEach<Request extends { lockName: string }, Answer>(
  requests: readonly Request[],
  patience: number,
  answer: (batch: readonly Request[]) => Promise<Answer[]>,
): Promise<Array<Answer | ErrorAnswer>> {
  if (requests.length === 0) return [];
  if (haveUniqueNames(requests)) return answerTogether(requests, patience, answer);
  const answers = new Array<Answer | ErrorAnswer>(requests.length);
  for (const round of roundsOfUniqueNames(requests)) {
    const batch = round.map((index) => requests[index]!);
    const answered = await answerTogether(batch, patience, answer);
    round.forEach((index, position) => (answers[index] = answered[position]!));
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

/** All together; when one is to blame for a refusal, in ever smaller parts, so that it costs the others a few statements. */
async function answerTogether<Request, Answer>(
  batch: readonly Request[],
  patience: number,
  answer: (batch: readonly Request[]) => Promise<Answer[]>,
  deadline?: number,
): Promise<Array<Answer | ErrorAnswer>> {
  try {
    return await repeatConflicts(() => answer(batch));
  } catch (error) {
    const parts = partsToBlame(batch, error);
    if (!parts) return batch.map(() => errorAnswer(error));
    deadline ??= monotonicNow() + patience;
    const answers: Array<Answer | ErrorAnswer> = [];
    for (const part of parts)
      answers.push(
        ...(monotonicNow() < deadline
          ? await answerTogether(part, patience, answer, deadline)
          : part.map(() => errorAnswer(error))),
      );
    return answers;
  }
}

/** The parts of which one may be to blame for an error; undefined when the whole failed. */
function partsToBlame<Request>(
  batch: readonly Request[],
  error: unknown,
): Array<readonly Request[]> | undefined {
  if (batch.length === 1 || !isRefusal(error)) return undefined;
  const state = sqlState(error)!;
  if (state === ROW_LOCKED) return batch.map((request) => [request]);
  if (!BLAMES_ONE.test(state)) return undefined;
  const half = Math.ceil(batch.length / 2);
  return [batch.slice(0, half), batch.slice(half)];
}

/** Repeats what the server rolled back because of a conflict with another transaction. */
export async function repeatConflicts<Result>(run: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries++) {
    try {
      return await run();
    } catch (error) {
      if (tries === CONFLICT_TRIES || !CONFLICTS.has(sqlState(error) ?? '')) throw error;
    }
  }
}

/** Repeats an acquire of several locks that has lost a race for one of them: the next one sees who has it. */
export async function repeatRaces<Result>(run: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries++) {
    try {
      return await run();
    } catch (error) {
      if (tries === RACE.tries || sqlState(error) !== TAKEN_MEANWHILE) throw error;
    }
    await sleep(Math.random() * RACE.pause);
  }
}

export function unavailable(cause: unknown): StoreUnavailableError {
  const why = cause instanceof Error && cause.message ? cause.message : String(cause);
  return new StoreUnavailableError(`The lock store did not answer: ${why}`, { cause });
}

export function errorAnswer(cause: unknown): ErrorAnswer {
  return { outcome: 'error', error: unavailable(cause) };
}
