import { errorAnswer } from '../store/batch.js';
import type { AcquireSetAnswer, ErrorAnswer, LeaseRecord } from '../store/lock-store.js';

/** What names the lease that an answer may be about. */
interface Asked {
  lockName: string;
  /** Unknown to who releases by a worker's name. */
  grantId?: string;
}

/** What an answer may name: a lease, or the one that was ended. */
interface Told {
  lease?: LeaseRecord;
  grantId?: string;
}

/**
 * A store's answers, each to the request at its index. Nobody is told of the lease of another, whatever the store's fault: what has become of
 * the request is unknown then.
 */
export function ownAnswers<Answer extends object>(
  requests: readonly Asked[],
  answers: readonly Answer[],
): ReadonlyArray<Answer | ErrorAnswer> {
  const isOwn = (answer: Answer, index: number) => isTo(requests[index]!, answer);
  if (answers.every(isOwn)) return answers;
  return answers.map((answer, index) => (isOwn(answer, index) ? answer : ofAnother()));
}

/** The same of a set, whose leases are in the order of its requests. */
export function ownSet(requests: readonly Asked[], answer: AcquireSetAnswer): AcquireSetAnswer {
  if (answer.outcome !== 'granted') return answer;
  return requests.every((request, index) => isTo(request, { lease: answer.leases[index] }))
    ? answer
    : ofAnother();
}

function isTo({ lockName, grantId }: Asked, { lease, grantId: ended }: Told): boolean {
  if (lease) return lease.lockName === lockName && lease.grantId === grantId;
  return ended === undefined || grantId === undefined || ended === grantId;
}

const ofAnother = () => errorAnswer(new Error('It has told somebody of the lease of another.'));
