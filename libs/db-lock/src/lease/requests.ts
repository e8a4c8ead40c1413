import { z } from 'zod';
import { minHoldSchema, ttlSchema, waitSchema } from './duration.js';
import { InvalidLockRequestError } from './errors.js';
import { metadataSchema } from './metadata.js';
import { plainly } from './plain.js';
import { isPlainLockName, lockNameSchema, workerNameSchema } from './names.js';

/** The grantId of a lock that was released and stays taken for a while: nobody can ask for it. */
export const NOBODYS_GRANT = '00000000-0000-0000-0000-000000000000';

/** Identifies one acquisition; whoever knows it can renew and release the lease. */
export const grantIdSchema = z
  .guid({ error: 'must be a UUID' })
  .refine((id) => id !== NOBODYS_GRANT, { error: 'must not be the nil UUID' })
  .transform((id) => id.toLowerCase())
  .meta({ description: 'A UUID made by the client for one acquisition' });

const PLAIN_GRANT = /^[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}$/;

/** Whether `grantIdSchema` certainly takes it as it is. */
export const isPlainGrantId = (id: unknown): id is string =>
  typeof id === 'string' && PLAIN_GRANT.test(id) && id !== NOBODYS_GRANT;

export const acquireRequestSchema = z.strictObject({
  lockName: lockNameSchema,
  workerName: workerNameSchema,
  grantId: grantIdSchema,
  ttl: ttlSchema,
  metadata: metadataSchema.nullish().transform((metadata) => metadata ?? null),
});

/** An acquire that may wait for a busy lock: `wait` milliseconds, 0 is "try". */
export const waitingAcquireSchema = acquireRequestSchema.extend({ wait: waitSchema.default(0) });

/** The most locks of one set. */
export const MAX_SET = 100;

const SET = `must be 1 to ${MAX_SET} different lock names`;

/** An acquire of several locks at once, all or none. */
export const acquireSetSchema = waitingAcquireSchema.omit({ lockName: true }).extend({
  lockNames: z
    .array(lockNameSchema, { error: SET })
    .min(1, { error: SET })
    .max(MAX_SET, { error: SET })
    .refine((names) => new Set(names).size === names.length, { error: SET }),
});

export const renewRequestSchema = z.strictObject({
  lockName: lockNameSchema,
  grantId: grantIdSchema,
  ttl: ttlSchema,
});

/** By grantId, which names one lease; or by worker name, as django-db-lock's contract does. */
export const releaseRequestSchema = z.union([
  z.strictObject({ lockName: lockNameSchema, grantId: grantIdSchema, minHold: minHoldSchema.optional() }),
  z.strictObject({ lockName: lockNameSchema, workerName: workerNameSchema }),
]);

/** Asks for a lease of `ttl` milliseconds. */
export interface AcquireRequest extends z.output<typeof acquireRequestSchema> {
  /** Of one who waits: the place in the lock's queue, or null while it has none. Absent for one who only tries. */
  ticket?: number | null;
}
/** Asks for a lease, and waits for it. */
export type WaitingAcquireRequest = z.output<typeof waitingAcquireSchema>;
/** Asks for leases of several locks, all or none. */
export type AcquireSetRequest = z.output<typeof acquireSetSchema>;
/** Asks to give a live lease a new TTL. */
export interface RenewRequest extends z.output<typeof renewRequestSchema> {
  /** The lease as its holder knows it: only that one is renewed, and what no renewal changes need not be told again. */
  held?: HeldLease;
}

/** What stays the same for as long as a lease lasts. */
export interface HeldLease {
  workerName: string;
  fencingToken: number;
  lockTime: Date;
}

/** Asks to end a live lease. */
export type ReleaseRequest = z.output<typeof releaseRequestSchema> & {
  /** Only if nobody has repeated the acquire or renewed the lease since. */
  version?: string;
};

/** @throws InvalidLockRequestError */
export function parseLockName(lockName: unknown): string {
  return isPlainLockName(lockName) ? lockName : parseRequest(lockNameSchema, lockName, 'lockName');
}

interface Issue {
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined;
  readonly message: string;
  readonly code?: string;
  readonly keys?: readonly string[];
}

function fieldOf({ path }: Issue, whole: string): string {
  if (!path || path.length === 0) return whole;
  return path.map((step) => String(typeof step === 'object' ? step.key : step)).join('.');
}

/** The issues of any Standard Schema as one error that names each field and its rule, once. */
export function invalidRequest(issues: readonly Issue[], whole = 'body'): InvalidLockRequestError {
  const broken = issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys' && issue.keys
      ? issue.keys.map((key) => ({
          field: fieldOf({ ...issue, path: [...(issue.path ?? []), key] }, whole),
          rule: 'is not a known field',
        }))
      : [{ field: fieldOf(issue, whole), rule: issue.message }],
  );
  const once = new Map(broken.map((issue) => [JSON.stringify(issue), issue]));
  return new InvalidLockRequestError([...once.values()]);
}

/**
 * The value as the schema returns it.
 * @throws InvalidLockRequestError naming each broken field.
 */
export function parseRequest<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  whole = 'request',
): z.output<Schema> {
  const plain = plainly(schema, value);
  if (plain !== undefined) return plain;
  const result = schema.safeParse(value);
  if (!result.success) throw invalidRequest(result.error.issues, whole);
  return result.data;
}
