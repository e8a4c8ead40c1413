import { z } from 'zod';

/** Longest lock and worker name, in characters (Unicode code points, as PostgreSQL counts them). */
export const MAX_NAME_LENGTH = 255;

const LENGTH = `must be a string of 1 to ${MAX_NAME_LENGTH} characters`;

const hasNul = (text: string) => text.includes('\0');

/** URLs drop these. */
const isDots = (name: string) => name === '.' || name === '..';

/** Text that PostgreSQL stores as it is: U+0000 does not fit, and a lone surrogate would be replaced. */
const nameSchema = z
  .string({ error: LENGTH })
  .min(1, { error: LENGTH })
  .max(MAX_NAME_LENGTH, { error: LENGTH })
  .refine((text) => !hasNul(text), { error: 'must not contain the character U+0000' })
  .refine((text) => text.isWellFormed(), { error: 'must be well-formed Unicode (no lone surrogates)' });

/** A lock's name. Compared byte by byte; `.` and `..` are refused because URLs drop them. */
export const lockNameSchema = nameSchema
  .refine((name) => !isDots(name), { error: "must not be '.' or '..'" })
  .meta({ description: `The lock's name: 1 to ${MAX_NAME_LENGTH} characters`, examples: ['invoice:42'] });

/** The owner's human-readable name. */
export const workerNameSchema = nameSchema.meta({
  description: `The owner's human-readable name: 1 to ${MAX_NAME_LENGTH} characters`,
  examples: ['billing-1:4711'],
});

/** Whether `workerNameSchema` certainly takes it; a name with characters beyond the first plane may fit although this says no. */
export function isPlainWorkerName(name: unknown): name is string {
  return (
    typeof name === 'string' &&
    name.length > 0 &&
    name.length <= MAX_NAME_LENGTH &&
    !hasNul(name) &&
    name.isWellFormed()
  );
}

/** The same for `lockNameSchema`. Nearly every acquire asks only this. */
export function isPlainLockName(name: unknown): name is string {
  return isPlainWorkerName(name) && !isDots(name);
}

/** The order of names: that of their bytes, in UTF-8. */
export const byBytes = (one: string, other: string): number =>
  Buffer.compare(Buffer.from(one), Buffer.from(other));
