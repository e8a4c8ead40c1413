import { isDeepStrictEqual } from 'node:util';
import { answerEach, errorAnswer, repeatConflicts, type BatchOptions } from '../batch.js';
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
import type { LockRecord } from '../lock-store.js';
import {
  toLease,
  toLock,
  toNext,
  toStateCounts,
  type LockRow,
  type LookRow,
  type StateRow,
} from '../rows.js';
import { SHARED_GRANT } from '../../lease/requests.js';
import type { DeskStatements } from './desk.sql.js';
import { FAULTS } from './errors.js';
import { partsOf } from './parts.js';
import type { Reader } from './reader.js';

/** How often an edit asks of a lease that others write meanwhile. */
const EDIT_TRIES = 50;

/** A lease that an operator has ended or changed, and who waits for its lock. */
type ChangedRow = LockRow & { next: string | null };

type Counted<Columns extends string> = Record<Columns, string | number>;

/** Operators' acts and views as SQL. */
export class MysqlDesk implements LockDesk {
  constructor(
    private readonly sql: DeskStatements,
    private readonly reader: Reader,
    /** Likewise, for acts: they don't wait for those who read. */
    private readonly actor: Reader,
    private readonly batches: BatchOptions,
    /** The most bytes that the server takes in one packet. */
    private readonly maxPacket: number,
  ) {}

  async forceRelease(requests: readonly ForceReleaseRequest[]): Promise<ForceReleaseAnswer[]> {
    const answers: ForceReleaseAnswer[] = [];
    for (const part of partsOf(requests, this.maxPacket))
      answers.push(...(await answerEach(part, this.batches, (batch) => this.#forceRelease(batch))));
    return answers;
  }

  async #forceRelease(batch: readonly ForceReleaseRequest[]): Promise<ForceReleaseAnswer[]> {
    const [rows, ended, nexts] = await this.actor.run<
      [
        Array<ChangedRow & { forced: string | number }>,
        LockRow[],
        Array<{ lock_name: string; next: string | null }>,
      ]
    >(this.sql.forceRelease(batch));
    const byName = new Map(rows.map((row) => [row.lock_name, row]));
    const nextOf = new Map(nexts.map((row) => [row.lock_name, toNext(row)]));
    return batch.map(({ lockName }): ForceReleaseAnswer => {
      const row = byName.get(lockName);
      if (!row) return { outcome: 'free' };
      if (row.grant_id === SHARED_GRANT) {
        const [newest, ...others] = ended.filter(({ lock_name }) => lock_name === lockName).map(toLease);
        return newest
          ? { outcome: 'forced', holders: [newest, ...others], next: nextOf.get(lockName) ?? null }
          : { outcome: 'changed' };
      }
      return Number(row.forced) === 1
        ? { outcome: 'forced', holders: [toLease(row)], next: toNext(row) }
        : { outcome: 'changed' };
    });
  }

  async hold(request: HoldRequest): Promise<HoldAnswer> {
    try {
      const [[expired], [row]] = await repeatConflicts(FAULTS, () =>
        this.actor.run<[Array<{ worker_name: string; token: string }>, LockRow[]]>(this.sql.hold(request)),
      );
      if (!row) return { outcome: 'busy' };
      return {
        outcome: 'held',
        lease: toLease(row),
        expired: expired && {
          lockName: request.lockName,
          workerName: expired.worker_name,
          fencingToken: Number(expired.token),
        },
      };
    } catch (error) {
      return errorAnswer(error);
    }
  }

  /** What the metadata were is read before: a lease that was renewed since is read again. */
  async edit(request: EditRequest): Promise<EditAnswer> {
    try {
      for (let tries = 1; tries <= EDIT_TRIES; tries++) {
        const [[alone], [shared]] = await this.actor.run<[LockRow[], LockRow[]]>(this.sql.edited(request));
        const seen = alone ?? shared;
        if (!seen) return { outcome: 'changed' };
        const { metadata: to } = request;
        const { metadata: from } = toLease(seen);
        const changed = to === undefined || isDeepStrictEqual(from, to) ? null : { from, to };
        const [[row]] = await repeatConflicts(FAULTS, () =>
          this.actor.run<[ChangedRow[]]>(
            alone
              ? this.sql.edit(request, seen.version!, changed)
              : this.sql.editHolder(request, seen.version!, changed),
          ),
        );
        if (row) return { outcome: 'edited', lease: toLease(row), next: toNext(row) };
      }
      return errorAnswer(new Error('Others were faster, time and again.'));
    } catch (error) {
      return errorAnswer(error);
    }
  }

  async deleteReleased(lockNames: readonly string[], actor: string): Promise<string[]> {
    if (lockNames.length === 0) return [];
    const [rows] = await this.actor.ask<[Array<Pick<LockRow, 'lock_name'>>]>(() =>
      this.sql.deleteReleased(lockNames, actor),
    );
    return rows.map(({ lock_name }) => lock_name);
  }

  clearExpired(actor?: string): Promise<number> {
    return this.actor.inChunks(
      (after) => this.sql.expiredAfter(after),
      (lockNames) => this.sql.clearExpired(lockNames, actor),
    );
  }

  async page(query: ListQuery): Promise<Pick<LockPage, 'items' | 'serverTime'>> {
    const [rows] = await this.reader.ask<[LookRow[]]>(() => this.sql.list(query));
    const items = rows.map(toLock);
    return { items, serverTime: items[0]?.serverTime ?? (await this.reader.now()) };
  }

  async count(filter: LockFilter): Promise<number> {
    const [[row]] = await this.reader.ask<[[Counted<'total'>]]>(() => this.sql.count(filter));
    return Number(row.total);
  }

  async *listAll(filter: LockFilter, chunk: number): AsyncGenerator<LockRecord[]> {
    for (let after = ''; ;) {
      const from = after;
      const [rows] = await this.reader.ask<[LookRow[]]>(() => this.sql.listAfter(filter, from, chunk));
      if (rows.length > 0) yield rows.map(toLock);
      if (rows.length < chunk) return;
      after = rows.at(-1)!.lock_name;
    }
  }

  async groups(filter: LockFilter, limit: number): Promise<LockGroup[]> {
    const [rows] = await this.reader.ask<
      [Array<{ prefix: string } & Counted<Exclude<keyof LockGroup, 'prefix'>>>]
    >(() => this.sql.groups(filter, limit));
    return rows.map(({ prefix, total, held, expired, released, waiting }) => ({
      prefix,
      total: Number(total),
      held: Number(held),
      expired: Number(expired),
      released: Number(released),
      waiting: Number(waiting),
    }));
  }

  async countByState(): Promise<StateCounts> {
    const [rows] = await this.reader.ask<[StateRow[]]>(() => this.sql.counts);
    return toStateCounts(rows);
  }
}
