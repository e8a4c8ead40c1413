import type { SwaggerDocumentOptions } from '@nestjs/swagger';
import { z } from 'zod';
import {
  clearedJson,
  countsJson,
  deletedJson,
  deleteReleasedBody,
  editBody,
  endedLease,
  endedLeaseJson,
  forcedLocksJson,
  forceReleaseAllBody,
  forceReleaseBody,
  groupsJson,
  historyJson,
  holdBody,
  inspectAllBody,
  inspectedLocksJson,
  overviewJson,
  sessionJson,
} from '../admin/schemas.js';
import { bulkAnswerJson, bulkBody, bulkJson } from '../server/bulk.schemas.js';
import {
  doneJson,
  failureJson,
  grantedJson,
  lockInfoEnvelopeJson,
} from '../server/django-db-lock.schemas.js';
import {
  acquireBody,
  acquireSetBody,
  downgradeBody,
  holdingJson,
  inspectedLockJson,
  leaseJson,
  leaseSetJson,
  lockJson,
  lockPageJson,
  problemJson,
  renewBody,
  waiterJson,
} from '../server/schemas.js';

type Converter = NonNullable<SwaggerDocumentOptions['standardSchemaConverter']>;

/** What callers send, by its name in a document. Those of django-db-lock's paths have none: they are parameters of a GET, too. */
const REQUESTS = {
  AcquireLeaseRequest: acquireBody,
  AcquireLeaseSetRequest: acquireSetBody,
  RenewLeaseRequest: renewBody,
  DowngradeLeaseRequest: downgradeBody,
  LeaseRequests: bulkBody,
  HoldLockRequest: holdBody,
  EditLockRequest: editBody,
  ForceReleaseRequest: forceReleaseBody,
  ForceReleasesRequest: forceReleaseAllBody,
  InspectLocksRequest: inspectAllBody,
  DeleteReleasedRequest: deleteReleasedBody,
} satisfies Record<string, z.ZodType>;

/** What they get. */
const ANSWERS = {
  Lease: leaseJson,
  LeaseSet: leaseSetJson,
  LeaseAnswer: bulkAnswerJson,
  LeaseAnswers: bulkJson,
  Lock: lockJson,
  LockHolder: holdingJson,
  LockWaiter: waiterJson,
  InspectedLock: inspectedLockJson,
  InspectedLocks: inspectedLocksJson,
  LockPage: lockPageJson,
  LockGroups: groupsJson,
  LockCounts: countsJson,
  LockHistory: historyJson,
  LockOverview: overviewJson,
  EndedLease: endedLease,
  ForceRelease: endedLeaseJson,
  ForceReleases: forcedLocksJson,
  DeletedLocks: deletedJson,
  ClearedLeases: clearedJson,
  AdminSession: sessionJson,
  Problem: problemJson,
  DjangoGranted: grantedJson,
  DjangoDone: doneJson,
  DjangoLockInfo: lockInfoEnvelopeJson,
  DjangoFailure: failureJson,
} satisfies Record<string, z.ZodType>;

const NAMES = new Map<unknown, string>(
  Object.entries({ ...REQUESTS, ...ANSWERS }).map(([name, schema]) => [schema, name]),
);

/** Where a document keeps a schema that has a name. */
export const reference = (name: keyof typeof REQUESTS | keyof typeof ANSWERS) => ({ $ref: pathOf(name) });

const pathOf = (name: string) => `#/components/schemas/${name}`;

/** Our schemas as a document keeps them, by name; they refer to each other. */
const components = once(() => ({ ...converted(REQUESTS, 'input'), ...converted(ANSWERS, 'output') }));

/** Has a document refer to each of our schemas by its name. Others are converted as they would be without us. */
export const convertNamed =
  (others?: Converter): Converter =>
  (schema, options) => {
    const name = NAMES.get(schema);
    if (name === undefined) return others?.(schema, options);
    return { schema: { $ref: pathOf(name) }, components: components() };
  };

function converted(schemas: Record<string, z.ZodType>, io: 'input' | 'output'): Record<string, object> {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(schemas)) registry.add(schema, { id });
  const { schemas: all } = z.toJSONSchema(registry, { target: 'openapi-3.0', io, uri: pathOf });
  for (const schema of Object.values(all)) delete schema.$id;
  return all;
}

function once<Value>(make: () => Value): () => Value {
  let made: Value | undefined;
  return () => (made ??= make());
}
