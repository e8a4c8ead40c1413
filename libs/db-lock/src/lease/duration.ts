import ms, { type StringValue } from 'ms';
import { z } from 'zod';

/** Milliseconds, or a number with a unit: `1500`, `'1.5s'`, `'30s'`, `'5m'`, `'2h'`, `'7d'`. */
export type Duration = number | string;

/** The longest TTL: 30 days, in milliseconds. */
export const MAX_TTL = 30 * 24 * 60 * 60 * 1000;

/** The longest wait for a busy lock: 24 hours, in milliseconds. */
export const MAX_WAIT = 24 * 60 * 60 * 1000;

/** The TTL of a lease that names none, in milliseconds. */
export const DEFAULT_TTL = 30_000;

const WITH_UNIT = /^\d+(\.\d+)? ?(ms|s|m|h|d)$/;

/** `ms` multiplies in floating point, which makes 3960000.0000000005 of `1.1h`. */
function millisecondsOf(text: string): number {
  const value = ms(text as StringValue);
  const whole = Math.round(value);
  return Math.abs(value - whole) <= 2 * Number.EPSILON * value ? whole : value;
}

/** A schema for durations between two bounds, in whole milliseconds. Its output is milliseconds. */
export function durationSchema(min: number, max: number) {
  const rule = `must be whole milliseconds from ${min} to ${max}, or a duration such as '30s' (units: ms, s, m, h, d)`;
  const milliseconds = z.int({ error: rule }).min(min, { error: rule }).max(max, { error: rule });
  const withUnit = z
    .string({ error: rule })
    .max(20, { error: rule })
    .regex(WITH_UNIT, { error: rule })
    .transform(millisecondsOf);
  return z
    .union([milliseconds, withUnit], { error: rule })
    .refine((value) => Number.isInteger(value) && value >= min && value <= max, { error: rule })
    .meta({ description: `Milliseconds (${min} to ${max}) or a duration such as '30s'` });
}

/** How long a lease lives unless renewed: 1 ms to 30 days. */
export const ttlSchema = durationSchema(1, MAX_TTL);

/** How long an acquire may wait for a busy lock: 0 (try) to 24 hours. */
export const waitSchema = durationSchema(0, MAX_WAIT);

/** How long a lock stays taken at least, also when it is released sooner: 0 to 30 days. */
export const minHoldSchema = durationSchema(0, MAX_TTL);
