import type { ErrorAnswer } from '../store/lock-store.js';

/** An answer that is not an error; errors are thrown. */
export type Settled<Answer> = Exclude<Answer, ErrorAnswer>;

/** The answer, unless it is an error: that is thrown. */
export function settled<Answer extends { outcome: string }>(
  answer: Answer | ErrorAnswer,
): Exclude<Answer, ErrorAnswer> {
  if (answer.outcome === 'error') throw (answer as ErrorAnswer).error;
  return answer as Exclude<Answer, ErrorAnswer>;
}
