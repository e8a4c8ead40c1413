import { z } from 'zod';

/** `exclusive`: nobody else has the lock. `shared`: others may have it in shared mode, too; nobody exclusively. */
export type LockMode = 'exclusive' | 'shared';

/** The most permits that a lease may take, and the highest limit. */
export const MAX_PERMITS = 1_000_000;

/** What a lease in shared mode takes of its lock, and what it relies on. */
export interface Share {
  /** How much it takes: 1 to a million. */
  permits: number;
  /** The most permits that may be held together when it is granted, its own included; null where any number may. */
  limit: number | null;
}

/** How an acquire names its mode; without any of these, it is exclusive. */
export interface ModeOptions {
  /** Default `exclusive`; `shared` where `limit` or `permits` is given. */
  mode?: LockMode;
  /** The most permits that may be held together, those of this lease included: 1 to a million. It makes the lock a semaphore. Default: any number. */
  limit?: number;
  /** How many permits the lease takes: 1 to the limit, at most a million. Default 1. */
  permits?: number;
}

/** The mode of a lease. */
export const modeOf = (lease: { share?: Share }): LockMode => (lease.share ? 'shared' : 'exclusive');

const MODE = { error: "must be 'exclusive' or 'shared'" };
const COUNT = { error: `must be a whole number from 1 to ${MAX_PERMITS}` };

const countSchema = z.int(COUNT).min(1, COUNT).max(MAX_PERMITS, COUNT).optional();

const LIMIT = 'The most permits that may be held together, those of this lease included. Default: any number';
const PERMITS = 'How many permits the lease takes: at most the limit. Default 1';
const SHARED_ONLY = "Not with mode 'exclusive'";

/** The fields of a request that is certainly about a lease in shared mode. */
export const shareFields = {
  limit: countSchema.meta({ description: LIMIT }),
  permits: countSchema.meta({ description: PERMITS }),
};

/** The fields of a request that say in which mode it wants a lock. */
export const modeFields = {
  mode: z
    .enum(['exclusive', 'shared'], MODE)
    .optional()
    .meta({ description: "Default 'exclusive'; 'shared' where a limit or permits are given" }),
  limit: countSchema.meta({ description: `${LIMIT}. ${SHARED_ONLY}` }),
  permits: countSchema.meta({ description: `${PERMITS}. ${SHARED_ONLY}` }),
};

const noLimit = z.refine<ModeOptions>(({ mode, limit }) => mode !== 'exclusive' || limit === undefined, {
  path: ['limit'],
  error: "must not be given with mode 'exclusive'",
});

const noPermits = z.refine<ModeOptions>(
  ({ mode, permits }) => mode !== 'exclusive' || permits === undefined,
  {
    path: ['permits'],
    error: "must not be given with mode 'exclusive'",
  },
);

export const permitsFit = z.refine<ModeOptions>(
  ({ limit, permits }) => limit === undefined || permits === undefined || permits <= limit,
  { path: ['permits'], error: 'must be at most the limit' },
);

/** The rules that the fields keep to together: for `check` of a schema that has them. */
export const MODE_RULES = [noLimit, noPermits, permitsFit] as const;

/** What a lease takes that is certainly to be in shared mode. */
export const shareSchema = z
  .strictObject(shareFields)
  .check(permitsFit)
  .transform(({ limit, permits }): Share => ({ permits: permits ?? 1, limit: limit ?? null }));

/** What was checked, with a `share` in place of these fields; without one where the mode is exclusive. */
export function withShare<Fields extends ModeOptions>({
  mode,
  limit,
  permits,
  ...rest
}: Fields): Omit<Fields, keyof ModeOptions> & { share?: Share } {
  if (mode !== 'shared' && limit === undefined && permits === undefined) return rest;
  return { ...rest, share: { permits: permits ?? 1, limit: limit ?? null } };
}

/** The same as a request says it. */
export const modeFieldsOf = (share: Share | undefined): ModeOptions =>
  share ? { mode: 'shared', permits: share.permits, limit: share.limit ?? undefined } : {};

/** What the history and events tell of a lease's mode: of an exclusive one nothing. */
export const modeDetails = (share: Share | undefined) =>
  share
    ? { mode: 'shared' as const, permits: share.permits, ...(share.limit !== null && { limit: share.limit }) }
    : null;
