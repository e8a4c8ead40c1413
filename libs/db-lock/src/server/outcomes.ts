import { LeaseLostError, LockBusyError } from '../lease/errors.js';
import type { HolderRecord } from '../store/lock-store.js';

type Outcome = { outcome: string };
type Busy = { outcome: 'busy'; holder: HolderRecord };
type Lost = { outcome: 'lost' };

/**
 * What was granted.
 * @throws LockBusyError
 */
export function orBusy<Answer extends Outcome>(answer: Answer | Busy): Exclude<Answer, Busy> {
  if (answer.outcome !== 'busy') return answer as Exclude<Answer, Busy>;
  const { holder } = answer as Busy;
  throw new LockBusyError(holder.lockName, holder, holder.timeLeft);
}

/**
 * What became of a lease that was live.
 * @throws LeaseLostError
 */
export function orLost<Answer extends Outcome>(
  lockName: string,
  answer: Answer | Lost,
): Exclude<Answer, Lost> {
  if (answer.outcome === 'lost') throw new LeaseLostError(lockName, 'refused');
  return answer as Exclude<Answer, Lost>;
}
