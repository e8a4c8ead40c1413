import { LockBusyError, type LockHolder } from '../lease/errors.js';
import type { BusyHolder } from './lock-transport.js';

/** An acquire was refused. Not an error yet: to those who only try, it is an answer like another, and an everyday one. */
export class Refusal {
  constructor(private readonly busy: BusyHolder) {}

  get lockName(): string {
    return this.busy.lockName;
  }

  /** What may be told of the holder: not the key to its lease. */
  get holder(): LockHolder {
    const { workerName, lockTime, expireTime } = this.busy;
    return { workerName, lockTime, expireTime };
  }

  toError(): LockBusyError {
    return new LockBusyError(this.lockName, this.holder, this.busy.timeLeft);
  }
}

/** @throws LockBusyError */
export function orThrow(refusal: Refusal): never {
  throw refusal.toError();
}

/** A refusal is null to who only tries. */
export function orNull(): null {
  return null;
}
