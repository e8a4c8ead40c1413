import { z } from 'zod';

/** A small JSON object that travels with a lease and that operators see. */
export type LockMetadata = Record<string, unknown>;

/** The most that metadata may take as JSON, in bytes of UTF-8. */
export const MAX_METADATA_BYTES = 8 * 1024;

/** How deep objects and arrays in metadata may nest. */
export const MAX_METADATA_DEPTH = 32;

/** What PostgreSQL's jsonb refuses: an escaped U+0000 or lone surrogate (`JSON.stringify` leaves only lone ones escaped). */
const UNSTORABLE = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f][0-9a-f]{2})/i;

function depthOf(value: unknown, limit: number): number {
  if (typeof value !== 'object' || value === null) return 0;
  if (limit === 0) return 1;
  return 1 + Math.max(0, ...Object.values(value).map((inner) => depthOf(inner, limit - 1)));
}

function toJson(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined; // cyclic, a BigInt, or nested beyond the stack
  }
}

/** Metadata as the store keeps it: a plain JSON object, copied, so that later changes by the caller don't reach the lease. */
export const metadataSchema = z
  .record(z.string(), z.unknown(), { error: 'must be a JSON object' })
  .transform((value, context): LockMetadata => {
    const refuse = (message: string): never => {
      context.issues.push({ code: 'custom', message, input: value });
      return z.NEVER;
    };
    const json = toJson(value);
    if (json === undefined || !json.startsWith('{')) return refuse('must be a JSON object');
    if (Buffer.byteLength(json) > MAX_METADATA_BYTES) return refuse('must be at most 8 KiB of JSON');
    if (UNSTORABLE.test(json)) return refuse('must not contain U+0000 or lone surrogates');
    const copy = JSON.parse(json) as LockMetadata;
    if (depthOf(copy, MAX_METADATA_DEPTH) > MAX_METADATA_DEPTH)
      return refuse(`must not nest deeper than ${MAX_METADATA_DEPTH} levels`);
    return copy;
  })
  .meta({ description: 'A JSON object of at most 8 KiB that operators see' });
