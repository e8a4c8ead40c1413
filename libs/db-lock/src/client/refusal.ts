import { LockBusyError, type LockHolder } from '../lease/errors.js';

/** An acquire was refused. Not an error yet: to those who only try, it is an answer like another, and an everyday one. */
export class Refusal {
  constructor(
    readonly lockName: string,
    readonly holder: LockHolder,
    readonly retryAfter: number | null,
  ) {}
}

/** @throws LockBusyError for a refusal */
export function orThrow<Held>(answer: Held | Refusal): Held {
  if (answer instanceof Refusal) throw new LockBusyError(answer.lockName, answer.holder, answer.retryAfter);
  return answer;
}

/** Null for a refusal. */
export function orNull<Held>(answer: Held | Refusal): Held | null {
  return answer instanceof Refusal ? null : answer;
}
