import { z } from 'zod';
import { minHoldSchema } from '../lease/duration.js';
import { lockNameSchema } from '../lease/names.js';
import { grantIdSchema } from '../lease/requests.js';
import { acquireFields, BODY, leaseJson, problemJson, renewFields } from './schemas.js';

/** The most requests of one bulk. */
export const MAX_BULK = 1_000;

const ACTION = "must be 'acquire', 'renew' or 'release'";

const { wait: _, ...tryFields } = acquireFields;

/** One request of a bulk: what a route of its own takes, and which. An acquire never waits here. */
export const bulkRequestSchema = z.discriminatedUnion(
  'action',
  [
    z.strictObject({ action: z.literal('acquire'), lockName: lockNameSchema, ...tryFields }),
    z.strictObject({
      action: z.literal('renew'),
      lockName: lockNameSchema,
      grantId: grantIdSchema,
      ...renewFields,
    }),
    z.strictObject({
      action: z.literal('release'),
      lockName: lockNameSchema,
      grantId: grantIdSchema,
      minHold: minHoldSchema.optional(),
    }),
  ],
  { error: ({ code }) => (code === 'invalid_union' ? ACTION : 'must be a JSON object') },
);

export type BulkRequest = z.output<typeof bulkRequestSchema>;

const REQUESTS = { error: `must be a list of 1 to ${MAX_BULK} requests` };

/** The envelope. Its requests are judged one by one, so that a bad one does no harm to the others. */
export const bulkBody = z.strictObject(
  {
    requests: z
      .array(
        z.unknown().meta(z.toJSONSchema(bulkRequestSchema, { target: 'openapi-3.0', io: 'input' })),
        REQUESTS,
      )
      .min(1, REQUESTS)
      .max(MAX_BULK, REQUESTS),
  },
  BODY,
);

/** What became of one request: `status` is that of a route of its own. */
export const bulkAnswerJson = z.object({
  status: z.int().meta({ description: 'As of a route of its own: 200, 201, 204, 400, 409, 410, 503, …' }),
  lease: leaseJson.optional().meta({ description: 'Of an acquire that was granted and of a renewal' }),
  problem: problemJson.optional().meta({ description: 'With a status of 400 and above' }),
});

export const bulkJson = z.object({
  answers: z.array(bulkAnswerJson).meta({ description: 'One for each request, at its index' }),
});
