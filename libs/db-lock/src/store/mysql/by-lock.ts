import { answerTogether, type BatchOptions } from '../batch.js';
import type { ErrorAnswer } from '../lock-store.js';
import type { HolderKey } from './holders.sql.js';

/**
 * Answers each request by itself where many of a batch may be about one lock. A row that somebody keeps locked is waited for once, by all who
 * ask for its lock; who else is to blame for a refusal is looked for among them.
 */
export async function answerByLock<Request extends { lockName: string }, Answer>(
  requests: readonly Request[],
  options: BatchOptions,
  answer: (batch: readonly Request[]) => Promise<Answer[]>,
): Promise<Array<Answer | ErrorAnswer>> {
  const ofLocks = indexesBy(requests, ({ lockName }) => lockName).map((indexes) => ({
    lockName: requests[indexes[0]!]!.lockName,
    indexes,
  }));
  const pick = (indexes: readonly number[]) => indexes.map((index) => requests[index]!);
  const told = await answerTogether(ofLocks, options, async (batch) => {
    const together = await answer(pick(batch.flatMap(({ indexes }) => indexes)));
    let end = 0;
    return batch.map(({ indexes: { length } }) => ({ answers: together.slice(end, (end += length)) }));
  });
  const answers = new Array<Answer | ErrorAnswer>(requests.length);
  for (const [place, { indexes }] of ofLocks.entries()) {
    const one = told[place]!;
    const ofLock = 'answers' in one ? one.answers : await singly(pick(indexes), one, options, answer);
    indexes.forEach((index, position) => (answers[index] = ofLock[position]!));
  }
  return answers;
}

/** Those of one lock, which were refused together. */
async function singly<Request extends { lockName: string }, Answer>(
  requests: readonly Request[],
  refusal: ErrorAnswer,
  options: BatchOptions,
  answer: (batch: readonly Request[]) => Promise<Answer[]>,
): Promise<Array<Answer | ErrorAnswer>> {
  const isOnesFault = requests.length > 1 && options.faults.blames(refusal.error.cause) === 'one';
  return isOnesFault ? answerTogether(requests, options, answer) : requests.map(() => refusal);
}

/** The requests in parts in which no lease is meant twice, each with the requests' indexes: nearly always one. */
export function roundsOfLeases(requests: readonly HolderKey[]): number[][] {
  const ofLeases = indexesBy(requests, ({ lockName, grantId }) => `${grantId} ${lockName}`);
  if (ofLeases.length === requests.length) return [requests.map((_, index) => index)];
  const rounds: number[][] = [];
  for (const indexes of ofLeases) indexes.forEach((index, round) => (rounds[round] ??= []).push(index));
  return rounds;
}

/** The indexes of those that have the same key, in their order. */
function indexesBy<Request>(requests: readonly Request[], keyOf: (request: Request) => string): number[][] {
  const byKey = new Map<string, number[]>();
  for (const [index, request] of requests.entries()) {
    const indexes = byKey.get(keyOf(request));
    if (indexes) indexes.push(index);
    else byKey.set(keyOf(request), [index]);
  }
  return [...byKey.values()];
}
