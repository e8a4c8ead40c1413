import {
  ApiBadRequestResponse,
  ApiConflictResponse,
  ApiConsumes,
  ApiCreatedResponse,
  ApiForbiddenResponse,
  ApiGoneResponse,
  ApiNoContentResponse,
  ApiNotFoundResponse,
  ApiOkResponse,
  ApiOperation,
  ApiProduces,
  ApiServiceUnavailableResponse,
  ApiTags,
  type SwaggerDocumentOptions,
} from '@nestjs/swagger';
import type { INestApplicationContext, Type } from '@nestjs/common';
import type { z } from 'zod';
import { checkVersions, MANIFEST } from './lease/versions.js';
import { LocksAdminController } from './admin/locks-admin.controller.js';
import {
  clearedJson,
  countsJson,
  deletedJson,
  endedLeaseJson,
  forcedLocksJson,
  groupsJson,
  historyJson,
  inspectedLocksJson,
  overviewJson,
  sessionJson,
} from './admin/schemas.js';
import { bulkJson } from './server/bulk.schemas.js';
import { DjangoDbLockController } from './server/django-db-lock.controller.js';
import { doneJson, failureJson, grantedJson, lockInfoEnvelopeJson } from './server/django-db-lock.schemas.js';
import { LocksController } from './server/locks.controller.js';
import {
  inspectedLockJson,
  leaseJson,
  leaseSetJson,
  lockJson,
  lockPageJson,
  problemJson,
} from './server/schemas.js';
import { parametersOf, takesSchemas, writtenOut } from './openapi/by-hand.js';
import { convertNamed, reference } from './openapi/components.js';
import { nameOperation, operationIds } from './openapi/operation-ids.js';

type ResponseDecorator = typeof ApiConflictResponse;
type Decorators = MethodDecorator[];

/** Swagger puts a schema of ours under `application/json`; problem documents have a media type of their own. */
const problemContent = {
  'application/problem+json': {
    schema: takesSchemas ? reference('Problem') : writtenOut(problemJson, 'output'),
  },
};

const problem = (decorator: ResponseDecorator, description: string) =>
  decorator({ description, content: problemContent });

const BAD_REQUEST = problem(
  ApiBadRequestResponse,
  'A rule is broken: `issues` name the fields. Nothing was stored.',
);
const UNAVAILABLE = problem(
  ApiServiceUnavailableResponse,
  'The database does not answer, too many requests are queued, or the server shuts down: neither busy nor free.',
);
const LOST = problem(
  ApiGoneResponse,
  'There is no such live lease: it expired, was released or force-released.',
);
const UNKNOWN = problem(ApiNotFoundResponse, 'There is no lock of this name.');

const answer = (decorator: ResponseDecorator, description: string, schema: z.ZodType) =>
  decorator({
    description,
    ...(takesSchemas ? { standardSchema: schema } : { schema: writtenOut(schema, 'output') }),
  });

const ok = (description: string, schema: z.ZodType) => answer(ApiOkResponse, description, schema);

/** Describes a method of a base controller; every feature's subclass inherits it. */
function describe<Controller>(
  controller: Type<Controller>,
  method: keyof Controller & string,
  operationId: string,
  summary: string,
  ...decorators: Decorators
): void {
  nameOperation(controller, method, operationId);
  const descriptor = Object.getOwnPropertyDescriptor(controller.prototype as object, method)!;
  for (const decorate of [ApiOperation({ summary }), ...parametersOf(controller, method), ...decorators])
    decorate(controller.prototype as object, method, descriptor);
}

function describeLocks(): void {
  ApiTags('Locks')(LocksController);
  describe(
    LocksController,
    'acquire',
    'acquireLease',
    'Acquire a lock; with `wait`, the answer comes when it is granted or the time is over',
    answer(ApiCreatedResponse, 'Granted.', leaseJson),
    ok('Granted before, to the same grantId: the same lease.', leaseJson),
    BAD_REQUEST,
    problem(
      ApiConflictResponse,
      'Busy: `holder` has it, for `retryAfter` ms unless it is renewed; of several, the newest, or who waits first.',
    ),
    UNAVAILABLE,
  );
  describe(
    LocksController,
    'acquireSet',
    'acquireLeaseSet',
    'Acquire several locks at once, all or none',
    answer(ApiCreatedResponse, 'Granted, all of them.', leaseSetJson),
    ok('Granted before, to the same grantId: the same leases.', leaseSetJson),
    BAD_REQUEST,
    problem(ApiConflictResponse, 'Busy: `holder` has the lock `lockName`. None is granted.'),
    UNAVAILABLE,
  );
  describe(
    LocksController,
    'bulk',
    'exchangeLeases',
    'Acquire, renew and release many leases, each by itself',
    ok('What became of each request. In which order they took effect is open.', bulkJson),
    problem(
      ApiBadRequestResponse,
      'This is no list of requests: nothing was done. A request that breaks a rule is answered at its index.',
    ),
  );
  describe(
    LocksController,
    'renew',
    'renewLease',
    'Give a live lease a new TTL',
    ok('Renewed.', leaseJson),
    BAD_REQUEST,
    LOST,
    UNAVAILABLE,
  );
  describe(
    LocksController,
    'downgrade',
    'downgradeLease',
    'Turn a live exclusive lease into a shared one, in one step: nobody has the lock in between',
    ok(
      'It is shared, with the same grantId and end, and a new fencing token. Repeating it is harmless.',
      leaseJson,
    ),
    BAD_REQUEST,
    LOST,
    UNAVAILABLE,
  );
  describe(
    LocksController,
    'release',
    'releaseLease',
    'Release a lease',
    ApiNoContentResponse({ description: 'Released.' }),
    BAD_REQUEST,
    LOST,
    UNAVAILABLE,
  );
  describe(
    LocksController,
    'inspect',
    'inspectLock',
    'Inspect a lock',
    ok('The lock, with those who hold it and those who wait for it.', inspectedLockJson),
    BAD_REQUEST,
    UNKNOWN,
    UNAVAILABLE,
  );
  describe(
    LocksController,
    'list',
    'listLocks',
    'List locks',
    ok('A page of locks.', lockPageJson),
    BAD_REQUEST,
    UNAVAILABLE,
  );
}

const FORBIDDEN = problem(
  ApiForbiddenResponse,
  'You may not do this, or a page of another site has asked for it. Nothing was done.',
);

const CHANGED = problem(
  ApiConflictResponse,
  'The lease that was meant is over, or the lock is held in another mode; `lock` says how things are now. Nothing was done.',
);

function describeAdmin(): void {
  ApiTags('Admin')(LocksAdminController);
  const guarded = (
    method: keyof LocksAdminController,
    operationId: string,
    summary: string,
    ...decorators: Decorators
  ) => describe(LocksAdminController, method, operationId, summary, ...decorators, FORBIDDEN);
  const admin: typeof guarded = (method, operationId, summary, ...decorators) =>
    guarded(method, operationId, summary, ...decorators, UNAVAILABLE);

  guarded('session', 'adminGetSession', 'Who you are and what you may do', ok('You.', sessionJson));
  admin('list', 'adminListLocks', 'List locks', ok('A page of locks.', lockPageJson), BAD_REQUEST);
  admin(
    'groups',
    'adminGroupLocks',
    'Group locks by their names',
    ok('The groups, by name.', groupsJson),
    BAD_REQUEST,
  );
  admin(
    'csv',
    'adminExportLocks',
    'All locks that match, as CSV',
    ApiProduces('text/csv'),
    ApiOkResponse({ description: 'By name.', content: { 'text/csv': { schema: { type: 'string' } } } }),
    BAD_REQUEST,
  );
  admin(
    'inspect',
    'adminInspectLock',
    'Inspect a lock',
    ok('The lock, with those who hold it and those who wait for it.', inspectedLockJson),
    BAD_REQUEST,
    UNKNOWN,
  );
  admin(
    'inspectAll',
    'adminInspectLocks',
    'Inspect several locks',
    ok('Those that there are.', inspectedLocksJson),
    BAD_REQUEST,
  );
  admin(
    'history',
    'adminListHistory',
    'What happened to a lock',
    ok('The newest first.', historyJson),
    BAD_REQUEST,
  );
  admin(
    'hold',
    'adminHoldLock',
    'Take a lock by hand, past all who wait',
    answer(ApiCreatedResponse, 'Held.', lockJson),
    BAD_REQUEST,
    problem(ApiConflictResponse, 'Busy: `holder` has it.'),
  );
  admin(
    'edit',
    'adminEditLock',
    "Change a live lease's end or metadata",
    ok('Changed.', lockJson),
    BAD_REQUEST,
    UNKNOWN,
    CHANGED,
  );
  admin(
    'forceRelease',
    'adminForceRelease',
    'Free a lock by force: all leases of it, or one',
    ok('What was ended.', endedLeaseJson),
    BAD_REQUEST,
    UNKNOWN,
    CHANGED,
  );
  guarded(
    'forceReleaseAll',
    'adminForceReleaseLocks',
    'Free several locks by force, each by itself',
    ok('What became of each, in their order: of one at least, it is known.', forcedLocksJson),
    BAD_REQUEST,
    problem(
      ApiServiceUnavailableResponse,
      'The database does not answer: of all of them it is unknown; they may or may not have been released.',
    ),
  );
  admin(
    'deleteReleased',
    'adminDeleteReleased',
    'Remove released locks',
    ok('Which were removed.', deletedJson),
    BAD_REQUEST,
  );
  admin('clearExpired', 'adminClearExpired', 'Mark expired leases as released', ok('How many.', clearedJson));
  admin('counts', 'adminCountLocks', 'Count locks by state', ok('The counts.', countsJson));
  admin(
    'overview',
    'adminGetOverview',
    'What happened in a range, and how things are now',
    ok('The overview.', overviewJson),
    BAD_REQUEST,
  );
  admin(
    'changes',
    'adminWatchChanges',
    'Watch what changes: events `hello`, `changes`, `many`, `refresh`, `tick` and `again`',
    ApiProduces('text/event-stream'),
    ApiOkResponse({
      description: 'As it changes.',
      content: { 'text/event-stream': { schema: { type: 'string' } } },
    }),
  );
}

function describeDjangoDbLock(): void {
  const failure = (decorator: ResponseDecorator, description: string) =>
    answer(decorator, description, failureJson);
  const answers = (schema: z.ZodType): Decorators => [
    ok('In the envelope.', schema),
    failure(ApiBadRequestResponse, 'A rule is broken. There is no `result`.'),
    failure(ApiServiceUnavailableResponse, 'The database does not answer. There is no `result`.'),
  ];
  const posted = ApiConsumes('application/json', 'application/x-www-form-urlencoded');
  const paths = [
    ['acquireLock', 'postAcquireLock', 'Acquire a lock: true granted, false busy', grantedJson],
    ['releaseLock', 'postReleaseLock', "Release a worker's lock", doneJson],
    ['getLockInfo', 'postGetLockInfo', 'Who holds a lock', lockInfoEnvelopeJson],
    ['clearExpiredLocks', 'postClearExpiredLocks', 'Mark expired leases as released', doneJson],
  ] as const;
  ApiTags('django-db-lock')(DjangoDbLockController);
  for (const [get, post, summary, schema] of paths) {
    const id = `django${get[0]!.toUpperCase()}${get.slice(1)}`;
    describe(DjangoDbLockController, get, id, summary, ...answers(schema));
    describe(DjangoDbLockController, post, `${id}ByPost`, summary, ...answers(schema), posted);
  }
}

let described = false;

/**
 * Adds the lock API and the admin to OpenAPI, from the schemas that check the requests:
 * `SwaggerModule.createDocument(app, config, describeDbLock(app))`. Operations are named for what they do (`acquireLease`), schemas
 * are components (`Lease`, `Lock`, `Problem`, …), so that a client generated from the document reads well.
 * @param options what else the document is made with
 */
export function describeDbLock(
  app: INestApplicationContext,
  options: SwaggerDocumentOptions = {},
): SwaggerDocumentOptions {
  if (!described) {
    checkVersions(MANIFEST, '@nestjs/swagger');
    described = true;
    describeLocks();
    describeAdmin();
    describeDjangoDbLock();
  }
  return {
    ...options,
    operationIdFactory: operationIds(app, options.operationIdFactory),
    standardSchemaConverter: convertNamed(options.standardSchemaConverter),
  };
}
