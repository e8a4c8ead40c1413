import type { LockWorkOptions } from '../client/acquire-options.js';
import type { LockBusyError } from '../lease/errors.js';

/**
 * The lock's name; a template of it, `'order:{0.id}'`; or a function of the method's arguments that returns it, also as a
 * promise, with the method's object as `this`.
 */
export type LockKey<Args extends unknown[] = never[]> =
  string | ((this: never, ...args: Args) => string | Promise<string>);

export interface UseLockOptions<Args extends unknown[] = never[]> extends Omit<
  LockWorkOptions,
  'signal' | 'grantId'
> {
  /**
   * What to do when somebody else holds the lock, and `wait` has run out. `throw` (default): the `LockBusyError`. `skip`:
   * nothing, the result is undefined. A function: its result or error is the method's; it gets the `LockBusyError` and the method's
   * arguments, with the method's object as `this`. A store that does not answer is not busy: that is always thrown.
   */
  whenBusy?: 'throw' | 'skip' | ((this: never, error: LockBusyError, ...args: Args) => unknown);
  /** Whose lock it is. Default `dblock`. */
  feature?: string;
}
