import ms, { type StringValue } from 'ms';
import { z } from 'zod';
import { isWhole, type Check } from './plain.js';

/** Milliseconds, or a number with a unit: `1500`, `'1.5s'`, `'30s'`, `'5m'`, `'2h'`, `'7d'`. */
export type Duration = number | string;

/** The longest TTL: 30 days, in milliseconds. */
export const MAX_TTL = 30 * 24 * 60 * 60 * 1000;

/** The longest wait for a busy lock: 24 hours, in milliseconds. */
export const MAX_WAIT = 24 * 60 * 60 * 1000;

/** The TTL of a lease that names none, in milliseconds. */
export const DEFAULT_TTL = 30_000;

/** The longest duration as text, in characters. */
const MAX_TEXT = 20;

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
    .max(MAX_TEXT, { error: rule })
    .regex(WITH_UNIT, { error: rule })
    .transform(millisecondsOf);
  return z
    .union([milliseconds, withUnit], { error: rule })
    .refine((value) => Number.isInteger(value) && value >= min && value <= max, { error: rule })
    .meta({ description: `Milliseconds (${min} to ${max}) or a duration such as '30s'` });
}

/** What was written of late, in milliseconds: an application writes the same few durations again and again. */
const written = new Map<string, number>();
const MOST_WRITTEN = 100;

/** The milliseconds of a duration; NaN where it is none. */
export function toMilliseconds(duration: unknown): number {
  if (typeof duration === 'number') return duration;
  if (typeof duration !== 'string' || duration.length > MAX_TEXT) return NaN;
  let milliseconds = written.get(duration);
  if (milliseconds === undefined) {
    milliseconds = WITH_UNIT.test(duration) ? millisecondsOf(duration) : NaN;
    if (written.size === MOST_WRITTEN) written.clear();
    written.set(duration, milliseconds);
  }
  return milliseconds;
}

function isDuration(min: number, max: number): Check<Duration> {
  const isWithin = isWhole(min, max);
  return (duration): duration is Duration => isWithin(toMilliseconds(duration));
}

/** Whether the schemas below certainly take a duration, and make of it what `toMilliseconds` does. */
export const isPlainTtl = isDuration(1, MAX_TTL);
export const isPlainWait = isDuration(0, MAX_WAIT);
export const isPlainMinHold = isDuration(0, MAX_TTL);

/** How long a lease lives unless renewed: 1 ms to 30 days. */
export const ttlSchema = durationSchema(1, MAX_TTL);

/** How long an acquire may wait for a busy lock: 0 (try) to 24 hours. */
export const waitSchema = durationSchema(0, MAX_WAIT);

/** How long a lock stays taken at least, also when it is released sooner: 0 to 30 days. */
export const minHoldSchema = durationSchema(0, MAX_TTL);
