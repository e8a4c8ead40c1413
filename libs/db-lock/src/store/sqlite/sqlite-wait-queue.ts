import { answerEach, type BatchOptions } from '../batch.js';
import { toTime } from '../rows.js';
import {
  ALIVE,
  type PassAnswer,
  type PassRequest,
  type QueuePlace,
  type Waiter,
  type WaitQueue,
  type WakeUpListener,
} from '../wait-queue.js';
import type { Connection } from './connection.js';
import type { Leases } from './leases.js';
import type { QueueStatements } from './queue.sql.js';

interface PlaceRow {
  lock_name: string;
  ticket: number;
  grant_id: string;
}

const ALIVE_TIME = ALIVE * 1000;

/** Queues in a table beside the locks'. Other processes that use the file are not told: each looks by itself whether anything has changed. */
export class SqliteWaitQueue implements WaitQueue {
  /** Of what others have written, as it was at the last look. */
  #seen?: string;
  /** The last ticket here, whose waiter may have left: who comes back with it stands before all who have joined since. */
  #lastTicket = 0;

  constructor(
    private readonly connection: Connection,
    private readonly sql: QueueStatements,
    private readonly leases: Leases,
    private readonly batches: BatchOptions,
  ) {}

  join(server: string, waiters: readonly Waiter[]): Promise<number[]> {
    return this.connection.write('lazy', (now) => {
      return waiters.map(({ lockName, workerName, grantId, ticket, share }) => {
        const { last } = this.connection.get<{ last: number | null }>(this.sql.lastTicket, { lockName })!;
        const place = ticket ?? Math.max(this.#lastTicket + 1, (last ?? 0) + 1, now);
        this.#lastTicket = Math.max(this.#lastTicket, place);
        const aliveUntil = now + ALIVE_TIME;
        this.connection.run(this.sql.join, {
          lockName,
          ticket: place,
          grantId,
          workerName,
          server,
          permits: share?.permits ?? null,
          limit: share?.limit ?? null,
          aliveUntil,
        });
        return place;
      });
    });
  }

  async leave(places: readonly QueuePlace[]): Promise<void> {
    await this.connection.write('lazy', () => {
      for (const { lockName, ticket, grantId } of places)
        this.connection.run(this.sql.leave, { lockName, ticket, grantId });
    });
  }

  async stay(server: string): Promise<QueuePlace[]> {
    const rows = await this.connection.write('lazy', (now) => {
      this.connection.run(this.sql.forget, { server, now });
      return this.connection.all<PlaceRow>(this.sql.stay, { server, aliveUntil: now + ALIVE_TIME });
    });
    return rows.map(({ lock_name, grant_id, ticket }) => ({
      lockName: lock_name,
      grantId: grant_id,
      ticket,
    }));
  }

  pass(server: string, requests: readonly PassRequest[]): Promise<PassAnswer[]> {
    return answerEach(requests, this.batches, (batch) =>
      this.connection.write('durable', (now) => batch.map((request) => this.#pass(server, request, now))),
    );
  }

  /** Others look by themselves. */
  async wake(): Promise<void> {}

  /** Nobody tells anything: whoever waits here is looked out for by `freed`. */
  listen(listener: WakeUpListener): void {
    listener.onMode('poll');
  }

  /**
   * Nothing is free that was not before, while nobody else has written to the file: who frees a lock in this process wakes those who wait here. A
   * lease that runs out tells nobody anywhere.
   */
  async freed(server: string, lockNames: readonly string[]): Promise<string[]> {
    return this.connection.read((now) => {
      const { data_version } = this.connection.get<{ data_version: number }>('PRAGMA data_version')!;
      const version = `${this.connection.generation} ${data_version}`;
      if (version === this.#seen) return [];
      const free = lockNames.filter((lockName) =>
        this.connection.get(this.sql.isFree, { lockName, server, now }),
      );
      this.#seen = version;
      return free;
    });
  }

  #pass(server: string, { lockName, grantId, successor }: PassRequest, now: number): PassAnswer {
    const released = this.leases.release({ lockName, grantId }, now);
    if (!released) return { outcome: 'lost' };
    const ticket = successor.ticket ?? Number.MAX_SAFE_INTEGER;
    if (this.connection.get(this.sql.before, { lockName, ticket, server, now }))
      return { outcome: 'released', next: released.next, serverTime: toTime(now) };
    const lease = this.leases.take(successor, now);
    this.connection.run(this.sql.leftQueue, { lockName, grantId: successor.grantId });
    return { outcome: 'passed', lease };
  }
}
