import { DbLockConfigurationError } from '../lease/errors.js';
import { injectApplication } from './application.js';
import { leasePlaces } from './current-lease.js';
import { LockedMethod, type Method } from './locked-method.js';
import type { LockKey, UseLockOptions } from './use-lock-options.js';
import { sharedSymbol } from '../lease/copies.js';

const LOCKED_METHODS = sharedSymbol('locked methods');

/**
 * Runs a method of a provider or controller under a lock, however the method is reached: by Nest's router, `@Cron()`,
 * `@OnEvent()` (above or below), or `this.method()`. The lock is kept alive until the promise that the method returns has settled, so
 * a method without one returns a promise, too.
 *
 *     @Cron('0 3 * * *')
 *     @UseLock('nightly-report', { whenBusy: 'skip', minHold: '30s' })
 *     async makeReport() { … currentLease()?.signal … }
 *
 *     @UseLock('order:{0.id}', { wait: '5s' })
 *     async ship(order: Order, @CurrentLease() lease?: Lease) { … }
 *
 * In a key, `{0.id}` is the property `id` of the first argument; one that is no string, number or boolean is an
 * `InvalidLockRequestError`. `{{` and `}}` are braces.
 *
 * @throws what `withLock` throws, and what the method does. A `DbLockConfigurationError` on an object that Nest has not
 * made, or whose application has no such feature; mistakes in the key and the options are start-up errors.
 */
export function UseLock<Args extends unknown[] = never[]>(
  key: LockKey<Args>,
  options: UseLockOptions<Args> = {},
): (target: object, name: string | symbol, descriptor?: PropertyDescriptor) => void {
  return (target, name, descriptor) => {
    const method = descriptor?.value as Method | undefined;
    if (typeof method !== 'function' || typeof target === 'function')
      throw new DbLockConfigurationError('UseLock', `${String(name)}: goes on methods that objects have.`);
    const locked = new LockedMethod(
      name,
      `${target.constructor.name}.${String(name)}`,
      method,
      leasePlaces(target, name),
      key as LockKey,
      options as UseLockOptions,
    );
    injectApplication(target);
    Reflect.defineMetadata(LOCKED_METHODS, [...lockedMethods(target), locked], target);
    descriptor!.value = inPlaceOf(method, function (this: unknown, ...args) {
      return locked.run(this, args);
    });
  };
}

/** The methods of this very prototype that run under a lock. */
export function lockedMethods(prototype: object): readonly LockedMethod[] {
  return (Reflect.getOwnMetadata(LOCKED_METHODS, prototype) as LockedMethod[] | undefined) ?? [];
}

/** The wrapper, which looks like the method: with its name, its arity, and what other decorators have noted on it. */
function inPlaceOf(method: Method, wrapper: Method): Method {
  Object.defineProperties(wrapper, Object.getOwnPropertyDescriptors(method));
  for (const key of Reflect.getOwnMetadataKeys(method) as unknown[])
    Reflect.defineMetadata(key, Reflect.getOwnMetadata(key, method), wrapper);
  return wrapper;
}
