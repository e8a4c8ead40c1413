import { z } from 'zod';
import { ttlSchema, type Duration } from '../lease/duration.js';
import { metadataSchema, type LockMetadata } from '../lease/metadata.js';
import { lockNameSchema, workerNameSchema } from '../lease/names.js';

/** Whom the history names. */
interface Act {
  /** The operator: 1 to 255 characters. */
  actor: string;
}

/** The lease that an operator means. */
interface MeantLease {
  lockName: string;
  /** The token of the lease that is meant; without it, whatever leases are live, also several in shared mode. */
  fencingToken?: number;
  /** Only those who share the lock are meant, also several of them: an exclusive lease stays. */
  mode?: 'shared';
}

/** Frees a lock against its holder's will. */
export interface ForceReleaseAct extends Act, MeantLease {
  /** Why: 1 to 1000 characters that can be seen. */
  reason: string;
}

/** Frees several locks against their holders' will. */
export interface ForceReleaseAllAct extends Act {
  /** 1 to 200. */
  locks: MeantLease[];
  /** Why: 1 to 1000 characters that can be seen. */
  reason: string;
}

/** Takes a free lock by hand. */
export interface HoldAct extends Act {
  lockName: string;
  /** How long to hold it: 1 ms to 30 days, in ms or as '30m'. */
  ttl: Duration;
  /** Who holds it: 1 to 255 characters. Default: the actor. */
  workerName?: string;
  /** A JSON object for operators to see: at most 8 KiB and 32 levels. */
  metadata?: LockMetadata | null;
  /** Why: 1 to 1000 characters that can be seen. */
  reason?: string | null;
}

/** Gives a live lease another end, other metadata, or both. */
export interface EditAct extends Act {
  lockName: string;
  /** The token of the lease that is meant. */
  fencingToken: number;
  /** How long it lives from now, longer or shorter than before: 1 ms to 30 days, in ms or as '30m'. Default: as before. */
  ttl?: Duration;
  /** A JSON object of at most 8 KiB and 32 levels; null removes what there is. Default: as before. */
  metadata?: LockMetadata | null;
  /** Why: 1 to 1000 characters that can be seen. */
  reason?: string | null;
}

/** Removes locks that are free. */
export interface DeleteReleasedAct extends Act {
  /** 1 to 200. */
  lockNames: string[];
}

/** The most locks that one act may be about. */
export const MAX_SELECTION = 200;

const SELECTION = { error: `must be a list of 1 to ${MAX_SELECTION} locks` };

const selectionOf = <Item extends z.ZodType>(item: Item) =>
  z.array(item, SELECTION).min(1, SELECTION).max(MAX_SELECTION, SELECTION);

const REASON = { error: 'must be a text of 1 to 1000 characters' };

/** A character that leaves something to see; fillers count as letters, and Braille's blank as a symbol. */
const VISIBLE = /(?![\p{Default_Ignorable_Code_Point}\u2800])[\p{L}\p{N}\p{P}\p{S}]/u;

const reasonSchema = z
  .string(REASON)
  .trim()
  .min(1, REASON)
  .max(1000, REASON)
  .refine((text) => text === '' || VISIBLE.test(text), { error: 'must be text that can be seen' })
  .refine((text) => !text.includes('\0') && text.isWellFormed(), { error: 'must be storable text' });

const optionalReason = reasonSchema.nullish().transform((reason) => reason ?? null);

const TOKEN = { error: 'must be the fencing token of a lease' };

const tokenSchema = z.int(TOKEN).min(0, TOKEN);

/** Which leases are meant, so that no other is ended. */
const meantFields = {
  fencingToken: tokenSchema.optional().meta({
    description: 'The lease that is meant; without it, whatever leases are live, also several in shared mode',
  }),
  mode: z.literal('shared', { error: "must be 'shared'" }).optional().meta({
    description: 'Only those who share the lock are meant: an exclusive lease stays',
  }),
};

export const forceReleaseSchema = z.strictObject({
  lockName: lockNameSchema,
  actor: workerNameSchema,
  reason: reasonSchema,
  ...meantFields,
}) satisfies z.ZodType<unknown, ForceReleaseAct>;

export const forceReleaseAllSchema = z.strictObject({
  locks: selectionOf(z.strictObject({ lockName: lockNameSchema, ...meantFields })),
  actor: workerNameSchema,
  reason: reasonSchema,
}) satisfies z.ZodType<unknown, ForceReleaseAllAct>;

export const holdSchema = z.strictObject({
  lockName: lockNameSchema,
  ttl: ttlSchema,
  workerName: workerNameSchema.optional(),
  metadata: metadataSchema.nullish().transform((metadata) => metadata ?? null),
  actor: workerNameSchema,
  reason: optionalReason,
}) satisfies z.ZodType<unknown, HoldAct>;

/** What an edit takes, before it is looked at whether there is anything to change. */
export const editFields = z.strictObject({
  lockName: lockNameSchema,
  fencingToken: tokenSchema,
  ttl: ttlSchema.optional(),
  metadata: metadataSchema.nullable().optional(),
  actor: workerNameSchema,
  reason: optionalReason,
});

/** An edit that changes nothing would be recorded like any other. */
export const changesSomething = z.refine<Pick<z.output<typeof editFields>, 'ttl' | 'metadata'>>(
  ({ ttl, metadata }) => ttl !== undefined || metadata !== undefined,
  { path: ['ttl'], error: 'must be given, unless metadata is' },
);

export const editSchema = editFields.check(changesSomething) satisfies z.ZodType<unknown, EditAct>;

export const inspectAllSchema = z.strictObject({ lockNames: selectionOf(lockNameSchema) });

export const deleteReleasedSchema = z.strictObject({
  lockNames: selectionOf(lockNameSchema),
  actor: workerNameSchema,
}) satisfies z.ZodType<unknown, DeleteReleasedAct>;
