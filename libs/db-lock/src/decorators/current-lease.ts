import { DbLockConfigurationError } from '../lease/errors.js';
import { sharedSymbol } from '../lease/copies.js';

const LEASE_PARAMETERS = sharedSymbol('lease parameters');

/** By the method's name: at which places of its arguments the lease goes. */
type Places = Map<string | symbol, number[]>;

/**
 * Puts the lease into this parameter of a method with `@UseLock()`, whatever the caller passes there:
 *
 *     @UseLock('report')
 *     async makeReport(@CurrentLease() lease?: Lease) { … lease!.signal … }
 */
export function CurrentLease(): ParameterDecorator {
  return (target, method, index) => {
    if (method === undefined || typeof target === 'function')
      throw new DbLockConfigurationError('CurrentLease', 'goes on parameters of methods that objects have.');
    const places = placesOf(target);
    places.set(method, [...(places.get(method) ?? []), index]);
    Reflect.defineMetadata(LEASE_PARAMETERS, places, target);
  };
}

/** Where the lease goes among the arguments of the method. */
export function leasePlaces(prototype: object, method: string | symbol): readonly number[] {
  return placesOf(prototype).get(method) ?? [];
}

/** The methods of this very prototype that ask for the lease. */
export function methodsWithLease(prototype: object): Array<string | symbol> {
  return [...placesOf(prototype).keys()];
}

function placesOf(prototype: object): Places {
  return (Reflect.getOwnMetadata(LEASE_PARAMETERS, prototype) as Places | undefined) ?? new Map();
}
