import { z } from 'zod';
import { minHoldSchema, ttlSchema, waitSchema } from './duration.js';
import { InvalidLockRequestError } from './errors.js';
import { metadataSchema } from './metadata.js';
import { MODE_RULES, modeFields, permitsFit, withShare, type ModeOptions, type Share } from './modes.js';
import { plainly } from './plain.js';
import { isPlainLockName, lockNameSchema, workerNameSchema } from './names.js';

/** The grantId of a lock that was released and stays taken for a while: nobody can ask for it. */
export const NOBODYS_GRANT = '00000000-0000-0000-0000-000000000000';

/** The grantId of a lock that is shared: whose the leases are, the table of holders says. Nobody can ask for it. */
export const SHARED_GRANT = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/** Identifies one acquisition; whoever knows it can renew and release the lease. */
export const grantIdSchema = z
  .guid({ error: 'must be a UUID' })
  .refine((id) => id !== NOBODYS_GRANT, { error: 'must not be the nil UUID' })
  .refine((id) => id.toLowerCase() !== SHARED_GRANT, { error: 'must not be the max UUID' })
  .transform((id) => id.toLowerCase())
  .meta({ description: 'A UUID made by the client for one acquisition' });

const PLAIN_GRANT = /^[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}$/;

/** Whether `grantIdSchema` certainly takes it as it is. */
export const isPlainGrantId = (id: unknown): id is string =>
  typeof id === 'string' && PLAIN_GRANT.test(id) && id !== NOBODYS_GRANT && id !== SHARED_GRANT;

const acquireFields = {
  workerName: workerNameSchema,
  grantId: grantIdSchema,
  ttl: ttlSchema,
  metadata: metadataSchema.nullish().transform((metadata) => metadata ?? null),
};

/** An acquire that may wait for a busy lock: `wait` milliseconds, 0 is "try". */
export const waitingAcquireSchema = z
  .strictObject({ lockName: lockNameSchema, ...acquireFields, wait: waitSchema.default(0), ...modeFields })
  .check(...MODE_RULES)
  .transform(withShare);

/** The most locks of one set. */
export const MAX_SET = 100;

const SET = { error: `must be 1 to ${MAX_SET} different lock names` };

/** A lock of a set, with a mode of its own where it is not a name only. */
const lockOfSet = z.union(
  [
    lockNameSchema,
    z
      .strictObject({ lockName: lockNameSchema, ...modeFields })
      .check(...MODE_RULES)
      .transform(withShare),
  ],
  { error: 'must be a lock name, or an object with a lockName' },
);

const nameOf = (lock: z.output<typeof lockOfSet>) => (typeof lock === 'string' ? lock : lock.lockName);

/** The locks of a set: names, or names with a mode of their own. */
export const lockNamesSchema = z
  .array(lockOfSet, SET)
  .min(1, SET)
  .max(MAX_SET, SET)
  .refine((locks) => new Set(locks.map(nameOf)).size === locks.length, SET);

/** The names of a set, and the shares of those that are wanted in shared mode; the set's own share is for those that name no mode. */
export function withShares<Fields extends ModeOptions & { lockNames: z.output<typeof lockNamesSchema> }>(
  fields: Fields,
): Omit<Fields, keyof ModeOptions | 'lockNames'> & SetOfLocks {
  const { lockNames, share, ...rest } = withShare<Fields>(fields);
  const shares = new Map<string, Share>();
  for (const lock of lockNames) {
    const ownShare = typeof lock === 'string' ? share : lock.share;
    if (ownShare) shares.set(nameOf(lock), ownShare);
  }
  return {
    ...(rest as Omit<Fields, keyof ModeOptions | 'lockNames'>),
    lockNames: lockNames.map(nameOf),
    shares,
  };
}

/** Several locks, and of those that are wanted in shared mode what is wanted. */
export interface SetOfLocks {
  lockNames: string[];
  shares: ReadonlyMap<string, Share>;
}

/** An acquire of several locks at once, all or none. */
export const acquireSetSchema = z
  .strictObject({
    lockNames: lockNamesSchema,
    ...acquireFields,
    wait: waitSchema.default(0),
    ...modeFields,
  })
  .check(...MODE_RULES)
  .transform(withShares);

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
export interface AcquireRequest extends Omit<WaitingAcquireRequest, 'wait'> {
  /** Of one who waits: the place in the lock's queue, or null while it has none. Absent for one who only tries. */
  ticket?: number | null;
}
/** Asks for a lease in shared mode. */
export interface SharedRequest extends AcquireRequest {
  share: Share;
}

/** Whether it asks for a lease in shared mode. */
export const isShared = (request: AcquireRequest): request is SharedRequest => request.share !== undefined;

/** Asks for a lease, and waits for it. */
export type WaitingAcquireRequest = z.output<typeof waitingAcquireSchema>;
/** Asks for leases of several locks, all or none. */
export type AcquireSetRequest = z.output<typeof acquireSetSchema>;
/** Asks to give a live lease a new TTL. */
export interface RenewRequest extends z.output<typeof renewRequestSchema> {
  /** The lease as its holder knows it: only that one is renewed, and what no renewal changes need not be told again. */
  held?: HeldLease;
  /** The caller knows that the lease is in shared mode. */
  isShared?: boolean;
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
  /** The caller knows that the lease is in shared mode. */
  isShared?: boolean;
};

/** A release that names one lease. */
export type ReleaseByGrant = Extract<ReleaseRequest, { grantId: string }>;

export const downgradeRequestSchema = z
  .strictObject({
    lockName: lockNameSchema,
    grantId: grantIdSchema,
    limit: modeFields.limit,
    permits: modeFields.permits,
  })
  .check(permitsFit)
  .transform(({ limit, permits, ...lease }) => ({
    ...lease,
    share: { permits: permits ?? 1, limit: limit ?? null },
  }));

/** Asks to turn a live exclusive lease into a shared one. */
export type DowngradeRequest = z.output<typeof downgradeRequestSchema>;

/** @throws InvalidLockRequestError */
export function parseLockName(lockName: unknown): string {
  return isPlainLockName(lockName) ? lockName : parseRequest(lockNameSchema, lockName, 'lockName');
}

interface Issue {
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined;
  readonly message: string;
  readonly code?: string;
  readonly keys?: readonly string[];
  /** Of a union: what each of its schemas says. */
  readonly errors?: ReadonlyArray<readonly Issue[]>;
}

/** What the one schema of a union says that takes such a value at all; the issue itself where there is none. */
function withinUnion(issue: Issue): readonly Issue[] {
  const meant = issue.errors?.filter((issues) => issues.every(({ path }) => path && path.length > 0)) ?? [];
  if (issue.code !== 'invalid_union' || meant.length !== 1) return [issue];
  return meant[0]!.map((inner) => ({ ...inner, path: [...(issue.path ?? []), ...inner.path!] }));
}

function fieldOf({ path }: Issue, whole: string): string {
  if (!path || path.length === 0) return whole;
  return path.map((step) => String(typeof step === 'object' ? step.key : step)).join('.');
}

/** The issues of any Standard Schema as one error that names each field and its rule, once. */
export function invalidRequest(issues: readonly Issue[], whole = 'body'): InvalidLockRequestError {
  const broken = issues.flatMap(withinUnion).flatMap((issue) =>
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
