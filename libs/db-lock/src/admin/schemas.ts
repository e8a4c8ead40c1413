import { z } from 'zod';
import { forceReleaseRequestSchema } from '../server/lock-server.js';
import type { HistoryRecord, LeaseRecord } from '../store/lock-store.js';

export const forceReleaseBody = z.strictObject(
  { reason: forceReleaseRequestSchema.shape.reason },
  { error: 'must be a JSON object' },
);

const time = z.iso.datetime();

/** What a force release ended; null when nobody held the lock. */
export const endedLeaseJson = z.object({
  lockName: z.string(),
  ended: z
    .object({ workerName: z.string(), fencingToken: z.int(), lockTime: time, expireTime: time })
    .nullable()
    .meta({
      description: 'The lease that was ended; its holder may still be running. Null: nobody held the lock.',
    }),
});

export const historyJson = z.object({
  items: z.array(
    z.object({
      event: z.literal('forced'),
      workerName: z.string(),
      fencingToken: z.int(),
      actor: z.string(),
      reason: z.string(),
      eventTime: time,
    }),
  ),
});

export const countsJson = z.object({ held: z.int(), expired: z.int(), released: z.int() });

export const clearedJson = z.object({ cleared: z.int() });

export function toEndedLeaseJson(
  lockName: string,
  holder: LeaseRecord | null,
): z.input<typeof endedLeaseJson> {
  return {
    lockName,
    ended: holder && {
      workerName: holder.workerName,
      fencingToken: holder.fencingToken,
      lockTime: holder.lockTime.toISOString(),
      expireTime: holder.expireTime.toISOString(),
    },
  };
}

export function toHistoryJson(record: HistoryRecord): z.input<typeof historyJson>['items'][number] {
  const { event, workerName, fencingToken, actor, reason, eventTime } = record;
  return { event, workerName, fencingToken, actor, reason, eventTime: eventTime.toISOString() };
}
