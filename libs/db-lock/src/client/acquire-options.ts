import { z } from 'zod';
import { ttlSchema, type Duration } from '../lease/duration.js';
import { metadataSchema, type LockMetadata } from '../lease/metadata.js';
import { lockNameSchema, workerNameSchema } from '../lease/names.js';
import { grantIdSchema } from '../lease/requests.js';

/** How a lock is acquired, from every lock server. */
export interface BasicAcquireOptions {
  /** How long the lease lives unless renewed: 1 ms to 30 days, in ms or as '30s'. Default: the module's `ttl`, 30 s. */
  ttl?: Duration;
  /** Who asks, as people shall read it: 1 to 255 characters. Default: the module's `workerName`, host:pid:instance. */
  workerName?: string;
  /** Gives the attempt up. What it may have acquired is released. */
  signal?: AbortSignal;
}

/** How a lock is acquired from our own lock server. */
export interface AcquireOptions extends BasicAcquireOptions {
  /** Renew the lease until it is released. Default: true in `withLock`, else false. */
  keepAlive?: boolean;
  /** A UUID of your own for this acquisition: repeating it while the lease lives returns the same lease. Default: a random one. */
  grantId?: string;
  /** A JSON object for operators to see: at most 8 KiB and 32 levels. */
  metadata?: LockMetadata;
}

const basicOptions = {
  lockName: lockNameSchema,
  ttl: ttlSchema,
  workerName: workerNameSchema,
  signal: z.instanceof(AbortSignal, { error: 'must be an AbortSignal' }).optional(),
};

export const basicAcquireSchema = z.strictObject(basicOptions);

export const acquireSchema = z.strictObject({
  ...basicOptions,
  keepAlive: z.boolean({ error: 'must be true or false' }),
  grantId: grantIdSchema,
  metadata: metadataSchema.nullish().transform((metadata) => metadata ?? null),
});
