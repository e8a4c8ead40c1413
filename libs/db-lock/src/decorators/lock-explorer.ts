import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService, ModuleRef } from '@nestjs/core';
import { DbLockConfigurationError } from '../lease/errors.js';
import { clientOf, noteApplication, type Application } from './application.js';
import { methodsWithLease } from './current-lease.js';
import { lockedMethods } from './use-lock.js';

/** Finds the methods with `@UseLock()` at the start: what is wrong with them is a start-up error. */
@Injectable()
export class LockExplorer implements OnModuleInit {
  constructor(
    @Inject(DiscoveryService) private readonly discovery: DiscoveryService,
    @Inject(ModuleRef) private readonly application: ModuleRef,
  ) {}

  onModuleInit(): void {
    for (const { instance } of [...this.discovery.getProviders(), ...this.discovery.getControllers()])
      if (typeof instance === 'object' && instance !== null)
        noteLockedMethods(instance as object, this.application);
  }
}

/**
 * Lets the locked methods of an object find the lock clients of its application.
 * @throws DbLockConfigurationError when a decorator was given what can't be.
 */
export function noteLockedMethods(instance: object, application: Application): void {
  for (const prototype of prototypesOf(instance)) {
    const methods = lockedMethods(prototype);
    for (const method of methods) method.check(clientOf(application, method.feature));
    const unlocked = methodsWithLease(prototype).find((name) =>
      methods.every((method) => method.name !== name),
    );
    if (unlocked !== undefined)
      throw new DbLockConfigurationError(
        'CurrentLease',
        `${prototype.constructor.name}.${String(unlocked)}: has no lease without @UseLock().`,
      );
    if (methods.length > 0) noteApplication(instance, application);
  }
}

/** The prototypes of an object's classes, the most special one first. */
function* prototypesOf(instance: object): Generator<object> {
  for (
    let prototype = Object.getPrototypeOf(instance) as object | null;
    prototype && prototype !== Object.prototype;
    prototype = Object.getPrototypeOf(prototype) as object | null
  )
    yield prototype;
}
