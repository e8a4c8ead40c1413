import { answerEach, errorAnswer, repeatConflicts, type BatchOptions } from '../batch.js';
import { FAULTS } from './errors.js';
import type {
  EditAnswer,
  EditRequest,
  ForceReleaseAnswer,
  ForceReleaseRequest,
  HoldAnswer,
  HoldRequest,
  ListQuery,
  LockDesk,
  LockFilter,
  LockGroup,
  LockPage,
  StateCounts,
} from '../lock-desk.js';
import { meantToken } from '../lock-desk.js';
import { MIN_IDLE, type ExpiredLease, type LockRecord } from '../lock-store.js';
import type { DeskStatements } from './desk.sql.js';
import type { Statement } from './fragments.sql.js';
import type { Reader } from './reader.js';
import {
  toLease,
  toLock,
  toNext,
  toStateCounts,
  type LockRow,
  type LookRow,
  type StateRow,
} from '../rows.js';
import { filterValues } from './values.js';

/** A lease that an operator has ended or changed, and who waits for its lock. */
type ChangedRow = LockRow & { next: string | null };

/** `forced`: it was ended. */
type ForcedRow = ChangedRow & { forced: boolean };

/** A lease in shared mode that was ended; without a grantId where none was meant. */
type ForcedSharedRow = ChangedRow & { asked_name: string };

/** A lease that an operator has taken, and the expired one that it came after. */
type HeldRow = LockRow & { expired_worker_name: string | null; expired_token: string | null };

/** Operators' acts and views as SQL. */
export class PostgresDesk implements LockDesk {
  constructor(
    private readonly sql: DeskStatements,
    /** Locks the rows of locks by name. */
    private readonly lock: Statement,
    private readonly reader: Reader,
    /** Likewise, for acts: they don't wait for those who read. */
    private readonly actor: Reader,
    private readonly batches: BatchOptions,
  ) {}

  forceRelease(requests: readonly ForceReleaseRequest[]): Promise<ForceReleaseAnswer[]> {
    return answerEach(requests, this.batches, async (batch) => {
      const lockNames = batch.map(({ lockName }) => lockName);
      const values = [lockNames, batch.map(({ actor }) => actor), batch.map(({ reason }) => reason)];
      const tokens = batch.map((request) => meantToken(request) ?? null);
      const sharersTokens = batch.map(({ fencingToken }) => fencingToken ?? null);
      const [rows, sharedRows] = await this.actor.transact(async (run) => {
        await run(this.lock, [lockNames]);
        return [
          await run<ForcedRow>(this.sql.forceRelease, [...values, tokens]),
          await run<ForcedSharedRow>(this.sql.forceReleaseShared, [...values, sharersTokens]),
        ] as const;
      });
      const answers = new Map([
        ...rows.map((row) => [row.lock_name, forcedAnswer(row)] as const),
        ...forcedShared(sharedRows),
      ]);
      return lockNames.map((lockName) => answers.get(lockName) ?? { outcome: 'free' });
    });
  }

  async hold(request: HoldRequest): Promise<HoldAnswer> {
    const { lockName, workerName, grantId, ttl, metadata, actor, reason } = request;
    const values = [lockName, workerName, grantId, ttl, metadata && JSON.stringify(metadata), actor, reason];
    try {
      const [row] = await repeatConflicts(FAULTS, () => this.actor.run<HeldRow>(this.sql.hold, values));
      return row ? { outcome: 'held', lease: toLease(row), expired: expiredIn(row) } : { outcome: 'busy' };
    } catch (error) {
      return errorAnswer(error);
    }
  }

  async edit({ lockName, fencingToken, ttl, metadata, actor, reason }: EditRequest): Promise<EditAnswer> {
    const values = [
      lockName,
      fencingToken,
      ttl ?? null,
      metadata !== undefined,
      metadata ? JSON.stringify(metadata) : null,
      actor,
      reason,
    ];
    try {
      const [row] = await repeatConflicts(FAULTS, () =>
        this.actor.transact(async (run) => {
          await run(this.lock, [[lockName]]);
          const edited = await run<ChangedRow>(this.sql.edit, values);
          return edited.length > 0 ? edited : run<ChangedRow>(this.sql.editShared, values);
        }),
      );
      return row ? { outcome: 'edited', lease: toLease(row), next: toNext(row) } : { outcome: 'changed' };
    } catch (error) {
      return errorAnswer(error);
    }
  }

  async deleteReleased(lockNames: readonly string[], actor: string): Promise<string[]> {
    const rows = await this.actor.ask<Pick<LockRow, 'lock_name'>>(this.sql.deleteReleased, [
      lockNames,
      actor,
      MIN_IDLE,
    ]);
    return rows.map(({ lock_name }) => lock_name);
  }

  clearExpired(actor?: string): Promise<number> {
    return this.actor.inChunks((from, to) =>
      this.actor.ask(this.sql.clearExpired, [from, to, actor ?? null]),
    );
  }

  async page({
    sort,
    order,
    page,
    pageSize,
    ...filter
  }: ListQuery): Promise<Pick<LockPage, 'items' | 'serverTime'>> {
    const rows = await this.reader.ask<LookRow>(this.sql.list({ sort, order }), [
      ...filterValues(filter),
      pageSize,
      (page - 1) * pageSize,
    ]);
    const items = rows.map(toLock);
    return { items, serverTime: items[0]?.serverTime ?? (await this.reader.now()) };
  }

  async count(filter: LockFilter): Promise<number> {
    const [row] = await this.reader.ask<{ total: string }>(this.sql.count, filterValues(filter));
    return Number(row!.total);
  }

  async *listAll(filter: LockFilter, chunk: number): AsyncGenerator<LockRecord[]> {
    for (let after = ''; ;) {
      const rows = await this.reader.ask<LookRow>(this.sql.listAfter, [
        ...filterValues(filter),
        after,
        chunk,
      ]);
      if (rows.length > 0) yield rows.map(toLock);
      if (rows.length < chunk) return;
      after = rows.at(-1)!.lock_name;
    }
  }

  groups(filter: LockFilter, limit: number): Promise<LockGroup[]> {
    return this.reader.ask<LockGroup>(this.sql.groups, [...filterValues(filter), limit]);
  }

  async countByState(): Promise<StateCounts> {
    return toStateCounts(await this.reader.ask<StateRow>(this.sql.counts, []));
  }
}

function forcedAnswer(row: ForcedRow): ForceReleaseAnswer {
  return row.forced
    ? { outcome: 'forced', holders: [toLease(row)], next: toNext(row) }
    : { outcome: 'changed' };
}

/** The answers for locks that are shared, by name. @param rows of each lock the newest lease first */
function forcedShared(rows: readonly ForcedSharedRow[]): Map<string, ForceReleaseAnswer> {
  const answers = new Map<string, ForceReleaseAnswer>();
  for (const row of rows) {
    const known = answers.get(row.asked_name);
    if (row.grant_id === null) answers.set(row.asked_name, { outcome: 'changed' });
    else if (known?.outcome === 'forced')
      answers.set(row.asked_name, { ...known, holders: [...known.holders, toLease(row)] });
    else answers.set(row.asked_name, { outcome: 'forced', holders: [toLease(row)], next: toNext(row) });
  }
  return answers;
}

function expiredIn({ lock_name, expired_worker_name, expired_token }: HeldRow): ExpiredLease | undefined {
  if (expired_worker_name === null) return undefined;
  return { lockName: lock_name, workerName: expired_worker_name, fencingToken: Number(expired_token) };
}
