import { z } from 'zod';
import { durationSchema, type Duration } from '../lease/duration.js';

/** What is kept of what happens to locks. */
export interface HistoryOptions {
  /** For how long: 1 minute to 10 years, in ms or as '7d'. Default 7 days. */
  retention?: Duration;
  /** The most events that are kept, of all locks: 1,000 to 1,000,000,000. Older ones go first. Default 1,000,000. */
  maxRows?: number;
  /** Renewals of one lease are recorded no more often than that: 0 to 1 day. Default 1 minute. */
  renewals?: Duration;
}

const DAY = 24 * 60 * 60 * 1000;

const MAX_ROWS = { error: 'must be a whole number from 1000 to 1000000000' };

const settingsSchema = z.strictObject(
  {
    retention: durationSchema(60_000, 3650 * DAY).default(7 * DAY),
    maxRows: z.int(MAX_ROWS).min(1_000, MAX_ROWS).max(1_000_000_000, MAX_ROWS).default(1_000_000),
    renewals: durationSchema(0, DAY).default(60_000),
  },
  { error: 'must be false or an object' },
);

/** Not a union: that would not say which of the settings is wrong. */
export const historyOptionsSchema = z
  .unknown()
  .default({})
  .transform((options, context): false | HistorySettings => {
    if (options === false) return false;
    const result = settingsSchema.safeParse(options);
    if (result.success) return result.data;
    context.issues.push(...(result.error.issues as unknown as typeof context.issues));
    return z.NEVER;
  });

/** The options with their defaults; durations in milliseconds. */
export type HistorySettings = z.output<typeof settingsSchema>;

/** How what operators did is kept where nothing else is recorded. */
export const OPERATORS_HISTORY: HistorySettings = settingsSchema.parse({});
