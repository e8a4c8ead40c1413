import { z } from 'zod';
import {
  isPlainMinHold,
  isPlainTtl,
  isPlainWait,
  minHoldSchema,
  ttlSchema,
  waitSchema,
  type Duration,
} from '../lease/duration.js';
import { metadataSchema, type LockMetadata } from '../lease/metadata.js';
import { isPlainWorkerName, lockNameSchema, workerNameSchema } from '../lease/names.js';
import { isBoolean, isNothing, orAbsent, plainObject } from '../lease/plain.js';
import { MODE_RULES, modeFields, withShare, type ModeOptions } from '../lease/modes.js';
import {
  grantIdSchema,
  isPlainGrantId,
  lockNamesSchema,
  parseRequest,
  withShares,
} from '../lease/requests.js';

/** How a lock is acquired, from every lock server. */
export interface BasicAcquireOptions {
  /** How long the lease lives unless renewed: 1 ms to 30 days, in ms or as '30s'. Default: the module's `ttl`, 30 s. */
  ttl?: Duration;
  /** Who asks, as people shall read it: 1 to 255 characters. Default: the module's `workerName`, host:pid:instance. */
  workerName?: string;
  /**
   * How long to wait for a lock that somebody else holds: 0 (try) to 24 hours, in ms or as '5s'. Default 0. Those who
   * wait get the lock in the order in which they came.
   */
  wait?: Duration;
  /** Gives the attempt up, also while it waits. What it may have acquired is released. */
  signal?: AbortSignal;
}

/** How a lock is acquired from our own lock server. */
export interface AcquireOptions extends BasicAcquireOptions, ModeOptions {
  /** Renew the lease until it is released. Default: true in `withLock`, else false. */
  keepAlive?: boolean;
  /** A UUID of your own for this acquisition: repeating it while the lease lives returns the same lease. Default: a random one. */
  grantId?: string;
  /** A JSON object for operators to see: at most 8 KiB and 32 levels. */
  metadata?: LockMetadata;
  /**
   * How long the lock stays taken at least, also when it is released sooner: 0 to the TTL, in ms or as '10s'. Default 0.
   * For jobs that end at once on machines whose clocks differ: the other machine must find the lock still taken.
   */
  minHold?: Duration;
}

/** One of several locks: its name, or its name and the mode in which it is wanted. */
export type LockOfSet = string | ({ lockName: string } & ModeOptions);

export interface Reentrancy {
  /**
   * Where the work that calls this already has a live lease of the lock, by the same client, run under that lease as it is,
   * instead of asking for one: other options then count for nothing. The lock is released when the last of the works under it
   * has ended. Default false: the lock is simply busy, whoever holds it.
   */
  reentrant?: boolean;
}

/** How a lock is acquired for a work. */
export interface LockWorkOptions extends AcquireOptions, Reentrancy {}

const basicOptions = {
  lockName: lockNameSchema,
  ttl: ttlSchema,
  wait: waitSchema,
  workerName: workerNameSchema,
  signal: z.instanceof(AbortSignal, { error: 'must be an AbortSignal' }).optional(),
};

export const basicAcquireSchema = z.strictObject(basicOptions);

/** After its TTL, a lock whose holder died is free anyway. */
const minHoldFits = z.refine<{ minHold: number; ttl: number }>(({ minHold, ttl }) => minHold <= ttl, {
  path: ['minHold'],
  error: 'must be at most the ttl',
});

const options = {
  ...basicOptions,
  keepAlive: z.boolean({ error: 'must be true or false' }),
  grantId: grantIdSchema,
  metadata: metadataSchema.nullish().transform((metadata) => metadata ?? null),
  minHold: minHoldSchema,
  ...modeFields,
};

export const acquireSchema = z
  .strictObject(options)
  .check(minHoldFits, ...MODE_RULES)
  .transform(withShare);

/** Whether `acquireSchema` certainly takes the options as they are, but for a `minHold` that is longer than the TTL. Such an acquire is exclusive. */
export const arePlainOptions = plainObject({
  ttl: orAbsent(isPlainTtl),
  workerName: orAbsent(isPlainWorkerName),
  wait: orAbsent(isPlainWait),
  signal: orAbsent((value): value is AbortSignal => value instanceof AbortSignal),
  keepAlive: orAbsent(isBoolean),
  grantId: orAbsent(isPlainGrantId),
  metadata: isNothing,
  minHold: orAbsent(isPlainMinHold),
});

const { lockName: _, ...withoutName } = options;

export const acquireAllSchema = z
  .strictObject({ ...withoutName, lockNames: lockNamesSchema })
  .check(minHoldFits, ...MODE_RULES)
  .transform(withShares);

const reentrantSchema = z.boolean({ error: 'must be true or false' });

/**
 * Tells the options of an acquire from that of a work.
 * @throws InvalidLockRequestError
 */
export function splitReentrant<Options extends object>(
  options: (Options & Reentrancy) | undefined,
): [Options | undefined, boolean] {
  if (options === undefined) return [undefined, false];
  const { reentrant = false, ...acquire } = options;
  return [acquire as unknown as Options, parseRequest(reentrantSchema, reentrant, 'reentrant')];
}
