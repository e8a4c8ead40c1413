import { SHARED_GRANT } from '../../lease/requests.js';
import type { TableNames } from '../table-names.js';
import { aliveWaiters, microsecondsOf, quoteTable, quoteText } from './fragments.sql.js';

/** Whose a lock is that is shared: the rows of its holders count only while its own row says so. */
export const SHARED = `'${SHARED_GRANT}'`;

/** What names a lease in shared mode. */
export interface HolderKey {
  lockName: string;
  grantId: string;
}

/** The holders of these keys, each by one look into the primary key. */
export function holdersOf(keys: readonly HolderKey[]): string {
  return `(${perLock(keys)
    .map(
      ([lockName, ids]) =>
        `holder.lock_name = ${quoteText(lockName)} AND holder.grant_id IN (${ids.map(quoteText).join(', ')})`,
    )
    .join('\n    OR ')})`;
}

/** The grantIds of each lock's keys. */
export function perLock(keys: readonly HolderKey[]): Array<[lockName: string, grantIds: string[]]> {
  const perName = new Map<string, string[]>();
  for (const { lockName, grantId } of keys) {
    const grantIds = perName.get(lockName);
    if (grantIds) grantIds.push(grantId);
    else perName.set(lockName, [grantId]);
  }
  return [...perName];
}

/** What each request says, for the holder at hand: of those that say the same, one list. */
export function perHolder<Request extends HolderKey>(
  batch: readonly Request[],
  of: (request: Request) => string | number,
): string {
  const saying = new Map<string, Request[]>();
  for (const request of batch) {
    const said = String(of(request));
    const others = saying.get(said);
    if (others) others.push(request);
    else saying.set(said, [request]);
  }
  if (saying.size === 1) return saying.keys().next().value!;
  return `CASE ${[...saying].map(([said, requests]) => `WHEN ${holdersOf(requests)} THEN ${said}`).join(' ')} END`;
}

export const holderColumns = (now: string) =>
  `holder.lock_name, holder.worker_name, holder.grant_id, holder.token, holder.lock_time, holder.expire_time, holder.metadata,
  holder.permits, holder.permit_limit, ${now} AS server_time, holder.row_version AS version`;

/** What a lease in shared mode is recorded with. */
export const HOLDER_DETAILS = `CONCAT(
  '{"mode":"shared","permits":', holder.permits, IF(holder.permit_limit IS NULL, '', CONCAT(',"limit":', holder.permit_limit)), '}'
)`;

export type HolderFragments = ReturnType<typeof holderFragments>;

/** What the packets say of the leases that share the lock at hand, which is `lock_row` everywhere. */
export function holderFragments(tables: TableNames, clockTolerance: number) {
  const locks = quoteTable(tables.lock);
  const holders = quoteTable(tables.holder);
  const waiters = quoteTable(tables.waiter);

  /** Until when a holder's permits are taken: its end, and the tolerance after that where it was not released. */
  const keptUntil =
    clockTolerance === 0
      ? 'holder.expire_time'
      : `(holder.expire_time + IF(holder.release_time IS NULL, ${microsecondsOf(clockTolerance)}, 0))`;

  /** The holders of the lock at hand. */
  const ofLock = `FROM ${holders} AS holder FORCE INDEX (PRIMARY) WHERE holder.lock_name = lock_row.lock_name`;

  return {
    keptUntil,
    ofLock,

    /** Holders with their locks, from the holders on. */
    heldLocks: `${holders} AS holder FORCE INDEX (PRIMARY)
STRAIGHT_JOIN ${locks} AS lock_row FORCE INDEX (PRIMARY) ON lock_row.lock_name = holder.lock_name`,

    /** Holders with their locks, from the locks on. */
    locksHeld: `${locks} AS lock_row FORCE INDEX (PRIMARY)
STRAIGHT_JOIN ${holders} AS holder FORCE INDEX (PRIMARY) ON holder.lock_name = lock_row.lock_name`,

    /** JSON of a `Sharing`. Where the lock is not shared, no other table is read. */
    sharing: (now: string) => `IF(lock_row.grant_id = ${SHARED}, (
    SELECT CONCAT(
      '{"holders":', COUNT(*), ',"permits":', SUM(holder.permits), ',"limits":[',
      COALESCE(GROUP_CONCAT(DISTINCT holder.permit_limit ORDER BY holder.permit_limit SEPARATOR ','), ''), ']}'
    )
    ${ofLock} AND holder.expire_time > ${now}
    HAVING COUNT(*) > 0
  ), NULL) AS sharing`,

    /** The permits of the lock at hand that are taken. */
    permitsTaken: (now: string) =>
      `(SELECT COALESCE(SUM(holder.permits), 0) ${ofLock} AND ${keptUntil} > ${now})`,

    /**
     * The first in the queue of the lock at hand, unless it wants that alone while others still share it.
     * @param ended the grantIds of leases that were ended: their holders wait no longer, though they may still stand there
     */
    nextSharer: (ended: string) => `(
    SELECT IF(waiter.permits IS NULL AND lock_row.grant_id IS NOT NULL, NULL, CONCAT(waiter.server, ' ', waiter.grant_id))
    ${aliveWaiters(waiters)} AND waiter.grant_id NOT IN (${ended})
    ORDER BY waiter.ticket, waiter.grant_id
    LIMIT 1
  )`,

    /**
     * The rows that bear the packet's number follow from those who still share their locks: they last as long as the longest of them, and name
     * the newest. Without any, the lock is free. Holders that bear the negative are about to go.
     * @param options - `makesStale`: where nobody is left, the token grows
     */
    settle: (
      names: string,
      packet: string,
      { makesStale = false } = {},
    ) => `UPDATE ${locks} AS lock_row FORCE INDEX (PRIMARY)
LEFT JOIN (
  SELECT holder.lock_name, MAX(holder.expire_time) AS last_end, MAX(holder.token) AS newest
  FROM ${holders} AS holder FORCE INDEX (PRIMARY)
  WHERE holder.lock_name IN (${names}) AND ${keptUntil} > @now AND holder.row_version <> -${packet}
  GROUP BY holder.lock_name
) AS rest ON rest.lock_name = lock_row.lock_name
LEFT JOIN ${holders} AS newest FORCE INDEX (PRIMARY) ON newest.lock_name = rest.lock_name AND newest.token = rest.newest
SET
  lock_row.worker_name = newest.worker_name,
  lock_row.metadata = newest.metadata,
  lock_row.lock_time = COALESCE(newest.lock_time, lock_row.lock_time),
  lock_row.expire_time = COALESCE(rest.last_end, @now),
  lock_row.grant_id = IF(rest.newest IS NULL, NULL, ${SHARED})${
    makesStale
      ? `,
  lock_row.token = IF(rest.newest IS NULL, GREATEST(lock_row.token + 1, @now), lock_row.token)`
      : ''
  }
WHERE lock_row.lock_name IN (${names}) AND lock_row.grant_id = ${SHARED} AND lock_row.row_version = ${packet}`,
  };
}
