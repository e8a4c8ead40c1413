import { answerEach, repeatConflicts, type BatchOptions } from '../batch.js';
import { toLease, toNext, toTime, type LockRow } from '../rows.js';
import type {
  PassAnswer,
  PassRequest,
  QueuePlace,
  Waiter,
  WaitQueue,
  WakeUpListener,
} from '../wait-queue.js';
import { FAULTS } from './errors.js';
import type { Packet } from './fragments.sql.js';
import type { Lanes } from './lane.js';
import type { LockStatements } from './locks.sql.js';
import { partsOf } from './parts.js';
import type { QueueStatements } from './queue.sql.js';
import type { Purpose } from './sessions.sql.js';

interface PlaceRow {
  lock_name: string;
  ticket: string;
  grant_id: string;
}

type PassedRow = LockRow & { passes: number | string; next: string | null };

/** Queues in a table beside the locks'. The database notifies nobody: each server looks for its waiters. */
export class MysqlWaitQueue implements WaitQueue {
  constructor(
    private readonly sql: LockStatements,
    private readonly queueSql: QueueStatements,
    private readonly lanes: Record<Purpose, Lanes>,
    private readonly batches: BatchOptions,
    /** The most bytes that the server takes in one packet. */
    private readonly maxPacket: number,
  ) {}

  async join(server: string, waiters: readonly Waiter[]): Promise<number[]> {
    const tickets: number[] = [];
    for (const part of partsOf(waiters, this.maxPacket)) {
      const [[told]] = await this.#ask<[[{ joined: string }]]>('queue', () =>
        this.queueSql.join(server, part),
      );
      tickets.push(...part.map(({ ticket }, index) => ticket ?? Number(told.joined) + index + 1));
    }
    return tickets;
  }

  async leave(places: readonly QueuePlace[]): Promise<void> {
    for (const part of partsOf(places, this.maxPacket))
      await this.#ask('queue', () => this.queueSql.leave(part));
  }

  async stay(server: string): Promise<QueuePlace[]> {
    const [rows] = await this.#ask<[PlaceRow[]]>('queue', () => this.queueSql.stay(server));
    return rows.map((row) => ({
      lockName: row.lock_name,
      grantId: row.grant_id,
      ticket: Number(row.ticket),
    }));
  }

  async pass(server: string, requests: readonly PassRequest[]): Promise<PassAnswer[]> {
    const answers: PassAnswer[] = [];
    for (const part of partsOf(requests.map(sized), this.maxPacket))
      answers.push(...(await answerEach(part, this.batches, (batch) => this.#pass(server, batch))));
    return answers;
  }

  /** Nobody can be told: each server looks. */
  async wake(): Promise<void> {}

  listen(listener: WakeUpListener): void {
    queueMicrotask(() => listener.onMode('poll'));
  }

  async freed(server: string, lockNames: readonly string[]): Promise<string[]> {
    const freed: string[] = [];
    for (const part of partsOf(
      lockNames.map((lockName) => ({ lockName })),
      this.maxPacket,
    )) {
      const names = part.map(({ lockName }) => lockName);
      const [rows] = await this.#ask<[PlaceRow[]]>('look', () => this.queueSql.freed(server, names));
      freed.push(...rows.map(({ lock_name }) => lock_name));
    }
    return freed;
  }

  async #pass(server: string, batch: readonly PassRequest[]): Promise<PassAnswer[]> {
    const [rows] = await this.lanes.acquire.run<[PassedRow[]]>(this.sql.pass(server, batch));
    const byName = new Map(rows.map((row) => [row.lock_name, row]));
    return batch.map(({ lockName }): PassAnswer => {
      const row = byName.get(lockName);
      if (!row) return { outcome: 'lost' };
      return Number(row.passes) === 1
        ? { outcome: 'passed', lease: toLease(row) }
        : { outcome: 'released', next: toNext(row), serverTime: toTime(row.server_time) };
    });
  }

  #ask<Told extends ReadonlyArray<readonly unknown[]>>(
    purpose: Purpose,
    packet: () => Packet,
  ): Promise<Told> {
    return repeatConflicts(FAULTS, () => this.lanes[purpose].run<Told>(packet()));
  }
}

/** With what of it may be long. */
const sized = (request: PassRequest) => {
  const { workerName, metadata } = request.successor;
  return { ...request, workerName, metadata };
};
