import { Inject, type InjectionToken, type Provider, type Type } from '@nestjs/common';
import { DjangoDbLockClient } from '../client/django-db-lock-client.js';
import { LockClient } from '../client/lock-client.js';
import { LockEvents } from '../events/lock-events.js';
import { copiesOf } from '../lease/copies.js';
import { DEFAULT_FEATURE } from '../model/feature.js';
import { LockServer } from '../server/lock-server.js';

/** By name: what is injected by its class, where the feature is the default one. */
const INJECTED = { LockClient, LockServer, LockEvents, DjangoDbLockClient };

for (const [name, type] of Object.entries(INJECTED)) copiesOf(type, name);

/** Providers of the default feature under the classes that other copies of this package inject by. */
export function forOtherCopies(tokens: readonly InjectionToken[]): Provider[] {
  return Object.entries(INJECTED)
    .filter(([, type]) => tokens.includes(type))
    .flatMap(([name, type]) =>
      [...copiesOf(type, name)]
        .filter((other) => other !== type)
        .map((other) => ({ provide: other as Type, useExisting: type })),
    );
}

/** The default feature's token is the class itself; every other feature has one of its own, so that none is taken for another. */
function tokenOf(type: abstract new (...args: never[]) => unknown, feature: string): InjectionToken {
  return feature === DEFAULT_FEATURE ? (type as InjectionToken) : `${type.name}:${feature}`;
}

/** The injection token of a feature's LockClient: the class itself for the default feature. */
export const getLockClientToken = (feature: string = DEFAULT_FEATURE): InjectionToken =>
  tokenOf(LockClient, feature);

/** The injection token of a feature's LockServer: the class itself for the default feature. */
export const getLockServerToken = (feature: string = DEFAULT_FEATURE): InjectionToken =>
  tokenOf(LockServer, feature);

/** The injection token of a feature's LockEvents: the class itself for the default feature. */
export const getLockEventsToken = (feature: string = DEFAULT_FEATURE): InjectionToken =>
  tokenOf(LockEvents, feature);

/** The injection token of a feature's DjangoDbLockClient: the class itself for the default feature. */
export const getDjangoDbLockClientToken = (feature: string = DEFAULT_FEATURE): InjectionToken =>
  tokenOf(DjangoDbLockClient, feature);

/** Injects a feature's LockClient: `constructor(@InjectLockClient('billing') private readonly locks: LockClient) {}` */
export const InjectLockClient = (feature?: string): ParameterDecorator & PropertyDecorator =>
  Inject(getLockClientToken(feature));

/** Injects a feature's LockServer. */
export const InjectLockServer = (feature?: string): ParameterDecorator & PropertyDecorator =>
  Inject(getLockServerToken(feature));

/** Injects a feature's LockEvents. */
export const InjectLockEvents = (feature?: string): ParameterDecorator & PropertyDecorator =>
  Inject(getLockEventsToken(feature));
