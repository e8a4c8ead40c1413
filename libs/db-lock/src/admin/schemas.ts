import { z } from 'zod';
import { COUNTED, HISTORY_EVENTS } from '../store/history-store.js';
import { MAX_HOLDERS_SHOWN, type LeaseRecord } from '../store/lock-store.js';
import { BODY, limitJson, lockJson, permitsJson, time, toLockJson } from '../server/schemas.js';
import {
  changesSomething,
  deleteReleasedSchema,
  editFields,
  forceReleaseAllSchema,
  forceReleaseSchema,
  holdSchema,
  inspectAllSchema,
} from '../server/operator-acts.js';
import {
  MAX_GROUPS,
  rangeSchema,
  type EndedLease,
  type ForcedLock,
  type HistoryPage,
  type Overview,
} from '../server/operator-desk.js';

/** What callers send; the actor is who they are. */
const byCaller = { actor: true } as const;

export const forceReleaseBody = z.strictObject(
  forceReleaseSchema.omit({ ...byCaller, lockName: true }).shape,
  BODY,
);

export const forceReleaseAllBody = z.strictObject(forceReleaseAllSchema.omit(byCaller).shape, BODY);

export const holdBody = z.strictObject(holdSchema.omit(byCaller).shape, BODY);

/** The rule as OpenAPI can tell it: one of the fields is there. */
function given(fields: { ttl: true } | { metadata: true }) {
  return z.toJSONSchema(editFields.pick(fields).required().loose(), { io: 'input', target: 'openapi-3.0' });
}

export const editBody = z
  .strictObject(editFields.omit({ ...byCaller, lockName: true }).shape, BODY)
  .check(changesSomething)
  .meta({ anyOf: [given({ ttl: true }), given({ metadata: true })] });

export const inspectAllBody = z.strictObject(inspectAllSchema.shape, BODY);

export const deleteReleasedBody = z.strictObject(deleteReleasedSchema.omit(byCaller).shape, BODY);

export const overviewQuery = z.strictObject({ range: rangeSchema.default('1h') });

export const sessionJson = z.object({
  feature: z.string(),
  actor: z.string().meta({ description: 'Who you are in the history' }),
  access: z.enum(['view', 'release', 'edit']).meta({ description: 'What you may do' }),
  history: z.boolean().meta({ description: 'Whether what happens to locks is recorded' }),
});

export const inspectedLocksJson = z.object({
  locks: z.array(lockJson),
  unknown: z.array(z.string()).meta({ description: 'There are no such locks (any more)' }),
  serverTime: time,
});

/** A lease that a force release has ended. */
export const endedLease = z.object({
  workerName: z.string(),
  fencingToken: z.int(),
  lockTime: time,
  expireTime: time,
  permits: permitsJson.optional(),
  limit: limitJson.optional(),
});

const endedFields = {
  ended: endedLease.nullable().meta({
    description:
      'The lease that was ended, of several in shared mode the newest; its holder may still be running. Null: none was.',
  }),
  others: z.array(endedLease).meta({
    description: `The others that were ended, in shared mode, the newest first: at most ${MAX_HOLDERS_SHOWN}`,
  }),
  leases: z.int().meta({ description: 'How many were ended: several in shared mode only' }),
};

/** What a force release ended; null when nobody held the lock. */
export const endedLeaseJson = z.object({ lockName: z.string(), ...endedFields });

export const forcedLocksJson = z.object({
  answers: z.array(
    z.object({
      lockName: z.string(),
      outcome: z.enum(['forced', 'free', 'changed', 'error']).meta({
        description:
          'forced: what was meant was ended. free: nobody held it. changed: another lease holds it than was meant; nothing was done. ' +
          'error: it is unknown; it may or may not have been released.',
      }),
      ...endedFields,
      lock: lockJson.nullable().meta({ description: 'Where it has changed: the lock as it is now' }),
    }),
  ),
});

export const historyJson = z.object({
  items: z.array(
    z.object({
      id: z.string(),
      event: z.enum(HISTORY_EVENTS),
      workerName: z.string().nullable(),
      grantId: z
        .string()
        .nullable()
        .meta({ description: 'Its first 8 characters and an ellipsis: the whole is a key' }),
      fencingToken: z.int().nullable(),
      actor: z.string().nullable().meta({ description: 'The operator who did it' }),
      reason: z.string().nullable(),
      details: z.record(z.string(), z.unknown()).nullable(),
      eventTime: time,
    }),
  ),
  next: z.string().nullable().meta({ description: 'The `before` of the next page' }),
});

export const groupsJson = z.object({
  items: z.array(
    z.object({
      prefix: z.string(),
      total: z.int(),
      held: z.int(),
      expired: z.int(),
      released: z.int(),
      waiting: z.int(),
    }),
  ),
  truncated: z.boolean().meta({ description: `Whether there are more than ${MAX_GROUPS}` }),
});

export const countsJson = z.object({
  held: z.int(),
  expired: z.int(),
  released: z.int(),
  contended: z.int().meta({ description: 'Locks that somebody waits for' }),
  waiting: z.int().meta({ description: 'Those who wait' }),
});

const percentiles = z.object({
  count: z.int(),
  p50: z.number().nullable(),
  p90: z.number().nullable(),
  p99: z.number().nullable(),
});

const counts = Object.fromEntries(COUNTED.map((counted) => [counted, z.int()])) as Record<
  (typeof COUNTED)[number],
  z.ZodInt
>;

export const overviewJson = z.object({
  serverTime: time,
  history: z.boolean().meta({ description: 'Whether anything is counted' }),
  now: countsJson,
  series: z.object({
    step: z.int().meta({ description: 'Milliseconds' }),
    points: z.array(z.object({ time, ...counts })),
  }),
  hold: percentiles.meta({ description: 'How long leases lasted, in milliseconds' }),
  wait: percentiles.meta({ description: 'How long grants were waited for, in milliseconds' }),
  contended: z.array(z.object({ lockName: z.string(), refused: z.int(), waited: z.int(), waiting: z.int() })),
});

export const deletedJson = z.object({
  deleted: z.array(z.string()),
  kept: z.array(z.string()).meta({ description: 'Held, expired, waited for, or unknown' }),
});

export const clearedJson = z.object({ cleared: z.int() });

const toEnded = ({
  workerName,
  fencingToken,
  lockTime,
  expireTime,
  share,
}: LeaseRecord): z.input<typeof endedLease> => ({
  workerName,
  fencingToken,
  lockTime: lockTime.toISOString(),
  expireTime: expireTime.toISOString(),
  ...share,
});

/** What was ended of one lock: the newest of several, and the others. */
function toEndedFields(ended: LeaseRecord | null, others: readonly LeaseRecord[] = []) {
  return {
    ended: ended && toEnded(ended),
    others: others.slice(0, MAX_HOLDERS_SHOWN).map(toEnded),
    leases: ended ? others.length + 1 : 0,
  };
}

export const toEndedLeaseJson = (
  lockName: string,
  ended: EndedLease | null,
): z.input<typeof endedLeaseJson> => ({ lockName, ...toEndedFields(ended, ended?.others) });

export function toForcedLocksJson(locks: readonly ForcedLock[]): z.input<typeof forcedLocksJson> {
  return {
    answers: locks.map((forced) => ({
      lockName: forced.lockName,
      outcome: forced.outcome,
      ...(forced.outcome === 'forced' ? toEndedFields(forced.ended, forced.others) : toEndedFields(null)),
      lock: forced.outcome === 'changed' && forced.lock ? toLockJson(forced.lock) : null,
    })),
  };
}

export function toHistoryJson({ items, next }: HistoryPage): z.input<typeof historyJson> {
  return {
    items: items.map(
      ({ cursor, event, workerName, grantId, fencingToken, actor, reason, details, eventTime }) => ({
        id: cursor,
        event,
        workerName,
        grantId,
        fencingToken,
        actor,
        reason,
        details,
        eventTime: eventTime.toISOString(),
      }),
    ),
    next,
  };
}

export function toOverviewJson(overview: Overview, history: boolean): z.input<typeof overviewJson> {
  const { serverTime, now, step, points, hold, wait, contended } = overview;
  return {
    serverTime: serverTime.toISOString(),
    history,
    now,
    series: {
      step,
      points: points.map(({ time, ...counts }) => ({ time: time.toISOString(), ...counts })),
    },
    hold,
    wait,
    contended,
  };
}
