import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService, ModuleRef } from '@nestjs/core';
import { DbLockConfigurationError } from '../lease/errors.js';
import { clientOf, noteApplication } from './application.js';
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
      if (typeof instance === 'object' && instance !== null) this.#explore(instance as object);
  }

  #explore(instance: object): void {
    for (const prototype of prototypesOf(instance)) {
      const methods = lockedMethods(prototype);
      for (const method of methods) method.check(clientOf(this.application, method.feature));
      const unlocked = methodsWithLease(prototype).find((name) =>
        methods.every((method) => method.name !== name),
      );
      if (unlocked !== undefined)
        throw new DbLockConfigurationError(
          'CurrentLease',
          `${prototype.constructor.name}.${String(unlocked)}: has no lease without @UseLock().`,
        );
      if (methods.length > 0) noteApplication(instance, this.application);
    }
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
