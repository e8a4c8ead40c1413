import { z } from 'zod';
import { ttlSchema } from '../lease/duration.js';
import { metadataSchema } from '../lease/metadata.js';
import { lockNameSchema, workerNameSchema } from '../lease/names.js';
import { grantIdSchema } from '../lease/requests.js';
import type { LeaseRecord, LockRecord } from '../store/lock-store.js';

const body = { error: 'must be a JSON object' };

export const lockParams = z.strictObject({ lockName: lockNameSchema });

export const leaseParams = z.strictObject({ lockName: lockNameSchema, grantId: grantIdSchema });

export const acquireBody = z.strictObject(
  {
    workerName: workerNameSchema.optional(),
    ttl: ttlSchema,
    grantId: grantIdSchema.optional(),
    metadata: metadataSchema.nullish(),
  },
  body,
);

export const renewBody = z.strictObject({ ttl: ttlSchema }, body);

const time = z.iso.datetime({ error: 'must be a time in UTC' }).meta({ description: 'ISO 8601, in UTC' });

const fencingToken = z.int().meta({ description: 'Grows with every grant of the lock; below 2^53' });

const serverTime = time.meta({ description: "The database's clock when it answered" });

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
});

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
});

export const lockPageJson = z.object({ items: z.array(lockJson), total: z.int() });

/** An error as JSON: a problem document (RFC 9457) with our code. */
export const problemJson = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z
    .string()
    .meta({ description: 'Stable: LOCK_BUSY, LEASE_LOST, INVALID_REQUEST, STORE_UNAVAILABLE, …' }),
  issues: z.array(z.object({ field: z.string(), rule: z.string() })).optional(),
  holder: z
    .object({ workerName: z.string().nullable(), lockTime: time.nullable(), expireTime: time.nullable() })
    .optional(),
  retryAfter: z.number().nullable().optional().meta({ description: 'Milliseconds' }),
});

export function toLeaseJson(lease: LeaseRecord): z.input<typeof leaseJson> {
  const { lockName, workerName, grantId, fencingToken, metadata } = lease;
  return { lockName, workerName, grantId, fencingToken, ...timesOf(lease), metadata };
}

export function toLockJson(lock: LockRecord): z.input<typeof lockJson> {
  const { lockName, state, workerName, fencingToken, metadata } = lock;
  return { lockName, state, workerName, fencingToken, ...timesOf(lock), metadata };
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
