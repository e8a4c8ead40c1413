import { z } from 'zod';
import {
  isPlainTtl,
  isPlainWait,
  MAX_TTL,
  MAX_WAIT,
  minHoldSchema,
  toMilliseconds,
  ttlSchema,
  waitSchema,
} from '../lease/duration.js';
import { metadataSchema } from '../lease/metadata.js';
import { isPlainLockName, isPlainWorkerName, lockNameSchema, workerNameSchema } from '../lease/names.js';
import { isNothing, orAbsent, plainObject, withPlain } from '../lease/plain.js';
import {
  MODE_RULES,
  modeFields,
  modeOf,
  permitsFit,
  shareFields,
  withShare,
  type Share,
} from '../lease/modes.js';
import { grantIdSchema, isPlainGrantId, lockNamesSchema, withShares } from '../lease/requests.js';
import type { LockPage } from '../store/lock-desk.js';
import { orDigits } from './list-query.js';
import {
  MAX_HOLDERS_SHOWN,
  MAX_QUEUE_SHOWN,
  type Holding,
  type InspectedLock,
  type LeaseRecord,
  type LockRecord,
} from '../store/lock-store.js';

export const BODY = { error: 'must be a JSON object' };

const isLock = plainObject({ lockName: isPlainLockName });

export const lockParams = withPlain(z.strictObject({ lockName: lockNameSchema }), (path) =>
  isLock(path) ? { lockName: path.lockName } : undefined,
);

const isLease = plainObject({ lockName: isPlainLockName, grantId: isPlainGrantId });

export const leaseParams = withPlain(
  z.strictObject({ lockName: lockNameSchema, grantId: grantIdSchema }),
  (path) => (isLease(path) ? { lockName: path.lockName, grantId: path.grantId } : undefined),
);

/** What an acquire takes beside the name. */
export const acquireFields = {
  workerName: workerNameSchema.optional(),
  ttl: ttlSchema,
  wait: waitSchema.default(0).meta({
    description: `How long to wait for a busy lock: milliseconds (0 to ${MAX_WAIT}) or a duration such as '5s'`,
  }),
  grantId: grantIdSchema.optional(),
  metadata: metadataSchema.nullish().transform((metadata) => metadata ?? null),
  ...modeFields,
};

/** What `acquireFields` certainly take as it is, but for `wait`. */
export const plainTry = {
  workerName: orAbsent(isPlainWorkerName),
  ttl: isPlainTtl,
  grantId: orAbsent(isPlainGrantId),
  metadata: isNothing,
};

const isAcquire = plainObject({ ...plainTry, wait: orAbsent(isPlainWait) });

const acquireSchema = z
  .strictObject(acquireFields, BODY)
  .check(...MODE_RULES)
  .transform(withShare);

export const acquireBody = withPlain(acquireSchema, (body) => {
  if (!isAcquire(body)) return undefined;
  const { workerName, ttl, wait = 0, grantId } = body;
  return { workerName, ttl: toMilliseconds(ttl), wait: toMilliseconds(wait), grantId, metadata: null };
});

export const acquireSetBody = z
  .strictObject(
    {
      lockNames: lockNamesSchema.meta({
        description: 'Different names; one that has a mode of its own, in an object with it',
        uniqueItems: true,
      }),
      ...acquireFields,
    },
    BODY,
  )
  .check(...MODE_RULES)
  .transform(withShares);

export const downgradeBody = z
  .strictObject(shareFields, BODY)
  .check(permitsFit)
  .transform(({ limit, permits }): Share => ({ permits: permits ?? 1, limit: limit ?? null }));

const isEmpty = plainObject({});

export const releaseQuery = withPlain(
  z.strictObject({
    minHold: orDigits(minHoldSchema)
      .default(0)
      .meta({
        description: `How long the lock stays taken at least, from the start of the lease: milliseconds (0 to ${MAX_TTL}) or a duration such as '10s'`,
      }),
  }),
  (query) => (isEmpty(query) ? { minHold: 0 } : undefined),
);

/** What a renewal takes beside name and grantId. */
export const renewFields = { ttl: ttlSchema };

const isRenewal = plainObject({ ttl: isPlainTtl });

export const renewBody = withPlain(z.strictObject(renewFields, BODY), (body) =>
  isRenewal(body) ? { ttl: toMilliseconds(body.ttl) } : undefined,
);

export const time = z.iso
  .datetime({ error: 'must be a time in UTC' })
  .meta({ description: 'ISO 8601, in UTC' });

const fencingToken = z.int().meta({ description: 'Grows with every grant of the lock; below 2^53' });

const serverTime = time.meta({
  description: "The database's clock when it granted, or later, when it answered",
});

const modeJson = z.enum(['exclusive', 'shared']);

export const permitsJson = z.int().meta({ description: 'How many permits it takes; in shared mode only' });

export const limitJson = z.int().nullable().meta({
  description: 'The most permits that it lets be held together; null: any number. In shared mode only',
});

/** Of a lease, or of one that is waited for. */
const shareJson = { permits: permitsJson.optional(), limit: limitJson.optional() };

/** A lease as JSON, for its holder. */
export const leaseJson = z.object({
  lockName: z.string(),
  workerName: z.string(),
  grantId: z.string(),
  fencingToken,
  lockTime: time,
  expireTime: time,
  serverTime,
  metadata: z.record(z.string(), z.unknown()).nullable(),
  mode: modeJson
    .default('exclusive')
    .meta({ description: 'Servers that know no modes grant exclusive leases, and name none' }),
  ...shareJson,
});

/** Leases that were granted together as JSON, in the order of their names. */
export const leaseSetJson = z.object({ leases: z.array(leaseJson) });

/** A lock as JSON, for everybody. */
export const lockJson = z.object({
  lockName: z.string(),
  state: z.enum(['held', 'expired', 'released']),
  workerName: z.string().nullable(),
  fencingToken,
  lockTime: time,
  expireTime: time,
  serverTime,
  metadata: z.record(z.string(), z.unknown()).nullable(),
  waiting: z.int().meta({ description: 'How many wait for it' }),
  mode: modeJson
    .nullable()
    .default(null)
    .meta({ description: 'Null where nobody holds it', enum: ['exclusive', 'shared', null] }),
  holderCount: z.int().default(0).meta({ description: 'How many hold it: several in shared mode only' }),
  permits: z
    .int()
    .optional()
    .meta({ description: 'How many permits they take together; in shared mode only' }),
  limits: z
    .array(z.int())
    .optional()
    .meta({ description: 'The limits that they asked for, the lowest first; in shared mode only' }),
});

/** One of those who hold a lock as JSON. */
export const holdingJson = z.object({
  workerName: z.string(),
  fencingToken,
  lockTime: time,
  expireTime: time,
  metadata: z.record(z.string(), z.unknown()).nullable(),
  ...shareJson,
});

/** One of those who wait for a lock as JSON. */
export const waiterJson = z.object({
  workerName: z.string(),
  since: time,
  mode: modeJson.default('exclusive'),
  ...shareJson,
});

/** One lock as JSON, with those who wait for it. */
export const inspectedLockJson = lockJson.extend({
  holders: z
    .array(holdingJson)
    .default([])
    .meta({ description: `Who holds it: of those who share it the ${MAX_HOLDERS_SHOWN} oldest` }),
  queue: z.array(waiterJson).meta({ description: `Who waits, in their order: the first ${MAX_QUEUE_SHOWN}` }),
});

export const lockPageJson = z.object({ items: z.array(lockJson), total: z.int(), serverTime });

/** An error as JSON: a problem document (RFC 9457) with our code. */
export const problemJson = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.string().meta({
    description: 'Stable: LOCK_BUSY, LEASE_LOST, INVALID_REQUEST, STORE_UNAVAILABLE, OVERLOADED, …',
  }),
  issues: z.array(z.object({ field: z.string(), rule: z.string() })).optional(),
  holder: z
    .object({ workerName: z.string().nullable(), lockTime: time.nullable(), expireTime: time.nullable() })
    .optional(),
  lockName: z.string().optional().meta({ description: 'The lock that is busy' }),
  retryAfter: z.number().nullable().optional().meta({ description: 'Milliseconds' }),
  lock: lockJson.optional().meta({ description: 'LOCK_CHANGED: the lock as it is now' }),
});

export function toLeaseJson(lease: LeaseRecord): z.input<typeof leaseJson> {
  const { lockName, workerName, grantId, fencingToken, metadata } = lease;
  return {
    lockName,
    workerName,
    grantId,
    fencingToken,
    ...timesOf(lease),
    metadata,
    mode: modeOf(lease),
    ...lease.share,
  };
}

export function toLockJson(lock: LockRecord): z.input<typeof lockJson> {
  const { lockName, state, workerName, fencingToken, metadata, waiting } = lock;
  return {
    lockName,
    state,
    workerName,
    fencingToken,
    ...timesOf(lock),
    metadata,
    waiting,
    ...holdersOf(lock),
  };
}

/** In which mode a lock is held, and by how many. */
function holdersOf({ state, sharing }: LockRecord) {
  if (sharing) {
    const { holders, permits, limits } = sharing;
    return { mode: 'shared' as const, holderCount: holders, permits, limits };
  }
  return state === 'held' ? { mode: 'exclusive' as const, holderCount: 1 } : { mode: null, holderCount: 0 };
}

export function toLockPageJson({ items, total, serverTime }: LockPage): z.input<typeof lockPageJson> {
  return { items: items.map(toLockJson), total, serverTime: serverTime.toISOString() };
}

export function toInspectedLockJson(lock: InspectedLock): z.input<typeof inspectedLockJson> {
  const queue = lock.queue.map(({ workerName, since, share }) => ({
    workerName,
    since: since.toISOString(),
    mode: modeOf({ share }),
    ...share,
  }));
  return { ...toLockJson(lock), holders: lock.holders.map(toHoldingJson), queue };
}

function toHoldingJson({ share, lockTime, expireTime, ...holding }: Holding): z.input<typeof holdingJson> {
  return {
    ...holding,
    lockTime: lockTime.toISOString(),
    expireTime: expireTime.toISOString(),
    ...share,
  };
}

function timesOf({
  lockTime,
  expireTime,
  serverTime,
}: Record<'lockTime' | 'expireTime' | 'serverTime', Date>) {
  return {
    lockTime: lockTime.toISOString(),
    expireTime: expireTime.toISOString(),
    serverTime: serverTime.toISOString(),
  };
}
