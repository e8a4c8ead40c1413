import type { TableNames } from '../table-names.js';
import {
  FREED,
  LIKE_REQUESTS,
  MILLISECOND,
  nextInLine,
  NOBODY,
  requestsOf,
  rowOf,
  SHARED,
  timeColumn,
} from './fragments.sql.js';
import { channelOf } from './notifications.js';
import { quoteTable } from './tables.sql.js';

/** How full the database's queue of notifications may be, from 0 to 1, for a release to add to it. From 0.5 on PostgreSQL warns. */
const QUEUE_LIMIT = 0.25;

export type ReleaseStatements = ReturnType<typeof releaseStatements>;

/** The statements that release locks, which keep to the same as `lockStatements`. */
export function releaseStatements(tables: TableNames) {
  const channel = channelOf(tables);
  const locks = quoteTable(tables.lock);
  const waiters = quoteTable(tables.waiter);

  /**
   * Notifies the servers of those who are next, as their locks come free, and counts them; but for this server itself, and unless the
   * database's queue of notifications fills up.
   * @param server the parameter that says which server this is
   */
  const notified = (
    server: string,
  ) => `count(pg_notify('${channel}', split_part(next, ' ', 1) || ' ' || lock_name)) FILTER (
    WHERE split_part(next, ' ', 1) <> ${server}::text
      AND (SELECT pg_notification_queue_usage() < ${QUEUE_LIMIT})
  )::text`;

  /** Takes the parameter, and notifies nobody. */
  const nobodyNotified = (server: string) => `left(${server}::text, 0) || '0'`;

  const areSomeLost = 'count(*) < cardinality($1::text[])';

  /**
   * Ends leases, and tells how many; where not all, which, by their places in the batch: the others are lost. Whether one is live is
   * asked at the statement's start: nobody else can have got the lock of a lease that was live then and whose row is still the same
   * now, however long this waited for the row. `next` lists who is to be woken: a place, a server and a grantId, with spaces between;
   * while nobody waits at all, no queue is looked at. `notified`: how many of them were notified.
   * @param ended what the UPDATE sets, and where; and what else is told
   */
  const release = (
    requests: string,
    notified: string,
    ended: { set: string; from: string; condition: string; grantId: string; told?: string },
  ) => `
WITH ${requests},
ended AS (
  UPDATE ${locks} AS lock
  SET ${ended.set}
  FROM ${ended.from}
  WHERE lock.lock_name = request.lock_name
    AND ${ended.condition}
  RETURNING
    request.place, request.lock_name, ${ended.grantId} AS grant_id,
    CASE WHEN (SELECT EXISTS (SELECT FROM ${waiters})) THEN ${nextInLine(waiters, 'lock.lock_name', ended.grantId)} END AS next
)
SELECT
  count(*)::text AS count,
  CASE WHEN ${areSomeLost} THEN (SELECT string_agg(place::text, ',') FROM ended) END AS places,
  string_agg(place || ' ' || next, ',') FILTER (WHERE next IS NOT NULL) AS next,
  ${notified} AS notified,
  ${timeColumn('clock_timestamp()')} AS server_time${ended.told ?? ''}
FROM ended`;

  /** The leases that are there and look expired, by their places. */
  const doubtful = `,
  CASE WHEN ${areSomeLost} THEN (
    SELECT string_agg(request.place::text, ',')
    FROM request
    CROSS JOIN LATERAL ${rowOf(locks, 'request.lock_name', 'lock.grant_id, lock.expire_time')} AS lock
    WHERE lock.grant_id = request.grant_id AND lock.expire_time <= statement_timestamp()
  ) END AS doubtful`;

  /**
   * The same once the rows are locked: a lease that looks expired may be kept alive by a renewal whose commit is under way.
   * @param ended `isTheirs`: whether a row is of the lease that is meant; others are not waited for. `condition`: what else must hold
   */
  const releaseLocked = (
    requests: string,
    notified: string,
    {
      isTheirs,
      condition = '',
      ...ended
    }: { set: string; isTheirs: string; condition?: string; told?: string },
  ) =>
    release(
      `${requests},
locked AS MATERIALIZED (
  SELECT request.*, lock.*
  FROM request
  CROSS JOIN LATERAL (
    SELECT lock.grant_id AS held_grant_id, lock.expire_time AS held_until, lock.xmin::text AS held_version
    FROM ${locks} AS lock
    WHERE lock.lock_name = request.lock_name AND ${isTheirs}
    OFFSET 0
    FOR NO KEY UPDATE
  ) AS lock
)`,
      notified,
      {
        ...ended,
        from: 'locked AS request',
        condition: `request.held_until > statement_timestamp()${condition}`,
        grantId: 'request.held_grant_id',
      },
    );

  /** A lock that stays taken is nobody's: the lease is over, only the time is not. */
  const staysTaken = `request.min_hold > interval '0' AND lock.lock_time + request.min_hold > statement_timestamp()`;

  /**
   * The statements that release.
   * @param notifying whether they notify servers; their parameters are the same
   */
  const releases = (notifying: boolean) => {
    const suffix = notifying ? '' : '_silent';
    const notify = notifying ? notified : nobodyNotified;
    return {
      /**
       * $1 names, $2 grant ids, $3 this server. A shortcut of `releaseMixed`: tells which of the lost ones are `doubtful`, by their
       * places; these are to be asked of that one.
       */
      release: {
        name: `db_lock_release${suffix}`,
        text: release(LIKE_REQUESTS, notify('$3'), {
          set: FREED,
          from: 'request',
          condition: `lock.grant_id = request.grant_id
    AND lock.expire_time > statement_timestamp()`,
          grantId: 'request.grant_id',
          told: doubtful,
        }),
      },

      /**
       * The same for requests of which some keep the lock taken, $3 in ms from the start of the lease at least, or, by $4 the version,
       * end only what nobody has written since. $5 this server.
       */
      releaseMixed: {
        name: `db_lock_release_mixed${suffix}`,
        text: releaseLocked(
          requestsOf(`
  SELECT
    item.lock_name COLLATE "C" AS lock_name,
    item.grant_id,
    item.min_hold * ${MILLISECOND} AS min_hold,
    item.version,
    item.place
  FROM unnest($1::text[], $2::uuid[], $3::float8[], $4::text[])
    WITH ORDINALITY AS item (lock_name, grant_id, min_hold, version, place)`),
          notify('$5'),
          {
            set: `worker_name = CASE WHEN ${staysTaken} THEN lock.worker_name END,
      grant_id = CASE WHEN ${staysTaken} THEN ${NOBODY} END,
      metadata = CASE WHEN ${staysTaken} THEN lock.metadata END,
      expire_time = CASE WHEN ${staysTaken} THEN lock.lock_time + request.min_hold ELSE statement_timestamp() END`,
            isTheirs: 'lock.grant_id = request.grant_id',
            condition: `
    AND (request.version IS NULL OR request.held_version = request.version)`,
          },
        ),
      },

      /** $1 names, $2 worker names, $3 this server: for callers who know no grant ids, and are told them. */
      releaseByWorker: {
        name: `db_lock_release_by_worker${suffix}`,
        text: releaseLocked(
          requestsOf(`
  SELECT item.lock_name COLLATE "C" AS lock_name, item.worker_name, item.place
  FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS item (lock_name, worker_name, place)`),
          notify('$3'),
          {
            set: FREED,
            // A shared one has the newest holder's name: to end its lease takes its grant.
            isTheirs: `lock.worker_name = request.worker_name AND lock.grant_id <> ${SHARED}`,
            told: `,
  string_agg(place || ' ' || grant_id, ',') AS grant_ids`,
          },
        ),
      },
    };
  };

  return {
    ...releases(true),

    /** For a database that refuses to notify. */
    silent: releases(false),
  } as const;
}
