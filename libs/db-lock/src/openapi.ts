import {
  ApiConflictResponse,
  ApiCreatedResponse,
  ApiGoneResponse,
  ApiNoContentResponse,
  ApiNotFoundResponse,
  ApiBadRequestResponse,
  ApiOkResponse,
  ApiOperation,
  ApiServiceUnavailableResponse,
  ApiTags,
} from '@nestjs/swagger';
import type { Type } from '@nestjs/common';
import type { z } from 'zod';
import { LocksAdminController } from './admin/locks-admin.controller.js';
import { clearedJson, countsJson, endedLeaseJson, historyJson } from './admin/schemas.js';
import { DjangoDbLockController } from './server/django-db-lock.controller.js';
import { doneJson, failureJson, grantedJson, lockInfoEnvelopeJson } from './server/django-db-lock.schemas.js';
import { LocksController } from './server/locks.controller.js';
import { leaseJson, lockJson, lockPageJson, problemJson } from './server/schemas.js';

type Responses = Array<ClassDecorator & MethodDecorator>;

const problem = (decorator: typeof ApiConflictResponse, description: string) =>
  decorator({ description, standardSchema: problemJson });

const BAD_REQUEST = problem(
  ApiBadRequestResponse,
  'A rule is broken: `issues` name the fields. Nothing was stored.',
);
const UNAVAILABLE = problem(
  ApiServiceUnavailableResponse,
  'The database does not answer: neither busy nor free.',
);
const LOST = problem(
  ApiGoneResponse,
  'There is no such live lease: it expired, was released or force-released.',
);
const UNKNOWN = problem(ApiNotFoundResponse, 'There is no lock of this name.');

const ok = (description: string, standardSchema: z.ZodType) => ApiOkResponse({ description, standardSchema });

/** Describes a method of a base controller; every feature's subclass inherits it. */
function describe<Controller>(
  controller: Type<Controller>,
  method: keyof Controller & string,
  summary: string,
  ...responses: Responses
): void {
  const descriptor = Object.getOwnPropertyDescriptor(controller.prototype as object, method)!;
  for (const decorate of [ApiOperation({ summary }), BAD_REQUEST, ...responses, UNAVAILABLE])
    decorate(controller.prototype as object, method, descriptor);
}

function describeLocks(): void {
  ApiTags('Locks')(LocksController);
  describe(
    LocksController,
    'acquire',
    'Acquire a lock',
    ApiCreatedResponse({ description: 'Granted.', standardSchema: leaseJson }),
    ok('Granted before, to the same grantId: the same lease.', leaseJson),
    problem(ApiConflictResponse, 'Busy: `holder` has it, for `retryAfter` ms unless it is renewed.'),
  );
  describe(LocksController, 'renew', 'Give a live lease a new TTL', ok('Renewed.', leaseJson), LOST);
  describe(
    LocksController,
    'release',
    'Release a lease',
    ApiNoContentResponse({ description: 'Released.' }),
    LOST,
  );
  describe(LocksController, 'inspect', 'Inspect a lock', ok('The lock.', lockJson), UNKNOWN);
  describe(LocksController, 'list', 'List locks', ok('A page of locks.', lockPageJson));
}

function describeAdmin(): void {
  ApiTags('Admin')(LocksAdminController);
  describe(LocksAdminController, 'list', 'List locks', ok('A page of locks.', lockPageJson));
  describe(LocksAdminController, 'inspect', 'Inspect a lock', ok('The lock.', lockJson), UNKNOWN);
  describe(
    LocksAdminController,
    'history',
    'What operators did to a lock',
    ok('The newest first.', historyJson),
  );
  describe(
    LocksAdminController,
    'forceRelease',
    'Free a lock by force',
    ok('What was ended.', endedLeaseJson),
  );
  describe(LocksAdminController, 'counts', 'Count locks by state', ok('The counts.', countsJson));
  describe(
    LocksAdminController,
    'clearExpired',
    'Mark expired leases as released',
    ok('How many.', clearedJson),
  );
}

function describeDjangoDbLock(): void {
  const failure = (decorator: typeof ApiConflictResponse, description: string) =>
    decorator({ description, standardSchema: failureJson });
  const paths = [
    ['acquireLock', 'Acquire a lock: true granted, false busy', grantedJson],
    ['releaseLock', "Release a worker's lock", doneJson],
    ['getLockInfo', 'Who holds a lock', lockInfoEnvelopeJson],
    ['clearExpiredLocks', 'Mark expired leases as released', doneJson],
  ] as const;
  ApiTags('django-db-lock')(DjangoDbLockController);
  for (const [path, summary, schema] of paths) {
    for (const method of [path, `post${path[0]!.toUpperCase()}${path.slice(1)}`] as Array<
      keyof DjangoDbLockController
    >)
      describe(
        DjangoDbLockController,
        method,
        summary,
        ok('In the envelope.', schema),
        failure(ApiBadRequestResponse, 'A rule is broken. There is no `result`.'),
        failure(ApiServiceUnavailableResponse, 'The database does not answer. There is no `result`.'),
      );
  }
}

let described = false;

/**
 * Adds the lock API and the admin to OpenAPI, from the schemas that check the requests. Call it once, before
 * `SwaggerModule.createDocument(app, …)`.
 */
export function describeDbLock(): void {
  if (described) return;
  described = true;
  describeLocks();
  describeAdmin();
  describeDjangoDbLock();
}
