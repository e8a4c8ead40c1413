import { Inject, type InjectionToken } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import type { BasicLease } from '../client/basic-lease.js';
import type { WorkRunner } from '../client/basic-lock-client.js';
import type { LockWorkOptions } from '../client/acquire-options.js';
import { getDjangoDbLockClientToken, getLockClientToken } from '../module/tokens.js';
import { sharedSymbol } from '../lease/copies.js';

/** What all lock clients can do for a work. */
export interface WorkClient {
  worksWith(options: LockWorkOptions): WorkRunner<BasicLease>;
}

/** What knows all providers of an application: its ModuleRef, or that of a test. */
export interface Application {
  get(token: InjectionToken, options: { strict: false }): unknown;
}

const APPLICATION = sharedSymbol('application');

/**
 * Lets Nest itself note, on each object of the class that it makes, in which application it did: also on the
 * request-scoped and transient ones, which nobody else sees.
 */
export function injectApplication(prototype: object): void {
  if (APPLICATION in prototype) return;
  Object.defineProperty(prototype, APPLICATION, {
    set(this: object, application: ModuleRef) {
      noteApplication(this, application);
    },
  });
  Inject(ModuleRef)(prototype, APPLICATION);
}

/** For objects that Nest has not made itself, such as those of factories. */
export function noteApplication(object: object, application: Application): void {
  Reflect.defineProperty(object, APPLICATION, { value: application, writable: true, configurable: true });
}

/** The application to which an object belongs. */
export function applicationOf(object: unknown): Application | undefined {
  return (object as Record<symbol, Application | undefined> | null | undefined)?.[APPLICATION];
}

/** Clients that were found, by feature: Nest goes through all modules to find one. */
const clients = new WeakMap<Application, Map<string, WorkClient>>();

/** The client of one of the application's features, whatever module has it. */
export function clientOf(application: Application, feature: string): WorkClient | undefined {
  const found = clients.get(application) ?? new Map<string, WorkClient>();
  clients.set(application, found);
  const client = found.get(feature) ?? findClient(application, feature);
  if (client) found.set(feature, client);
  return client;
}

function findClient(application: Application, feature: string): WorkClient | undefined {
  const tokens = [getLockClientToken(feature), getDjangoDbLockClientToken(feature)];
  for (const token of tokens) {
    try {
      return application.get(token, { strict: false }) as WorkClient;
    } catch {
      // Nest throws when there is none.
    }
  }
  return undefined;
}
