import { answerEach, type BatchOptions } from '../batch.js';
import type { Lanes } from './lanes.js';
import type { Notifications } from './notifications.js';
import type { QueueStatements } from './queue.sql.js';
import type { Purpose } from './sessions.sql.js';
import { toLease, toNext, toTime, type LockRow } from '../rows.js';
import { passValues } from './values.js';
import type {
  PassAnswer,
  PassRequest,
  QueuePlace,
  Waiter,
  WaitQueue,
  WakeUp,
  WakeUpListener,
} from '../wait-queue.js';

interface PlaceRow {
  lock_name: string;
  ticket: string;
  grant_id: string;
}

/** Queues in a table beside the locks', and wake-ups by LISTEN and NOTIFY. */
export class PostgresWaitQueue implements WaitQueue {
  /** The one that listens: it needs no notifications of its own acts. Empty while nobody has waited there. */
  server = '';

  constructor(
    private readonly sql: QueueStatements,
    private readonly lanes: Record<Purpose, Lanes>,
    private readonly batches: BatchOptions,
    private readonly notifications: Notifications,
  ) {}

  async join(server: string, waiters: readonly Waiter[]): Promise<number[]> {
    const rows = await this.lanes.queue.run<Pick<PlaceRow, 'grant_id' | 'ticket'>>(this.sql.join, [
      server,
      waiters.map(({ lockName }) => lockName),
      waiters.map(({ grantId }) => grantId),
      waiters.map(({ workerName }) => workerName),
      waiters.map(({ ticket }) => ticket),
      waiters.map(({ share }) => share?.permits ?? null),
      waiters.map(({ share }) => share?.limit ?? null),
    ]);
    // RETURNING keeps the order of the rows, one for each: a grantId may stand in the queues of several locks.
    return rows.map(({ ticket }) => Number(ticket));
  }

  async leave(places: readonly QueuePlace[]): Promise<void> {
    await this.lanes.queue.run(this.sql.leave, [
      places.map(({ lockName }) => lockName),
      places.map(({ ticket }) => ticket),
      places.map(({ grantId }) => grantId),
    ]);
  }

  async stay(server: string): Promise<QueuePlace[]> {
    const rows = await this.lanes.queue.run<PlaceRow>(this.sql.stay, [server]);
    return rows.map((row) => ({
      lockName: row.lock_name,
      grantId: row.grant_id,
      ticket: Number(row.ticket),
    }));
  }

  pass(server: string, requests: readonly PassRequest[]): Promise<PassAnswer[]> {
    return answerEach(requests, this.batches, async (batch) => {
      const rows = await this.lanes.acquire.run<LockRow & { passes: boolean; next: string | null }>(
        this.sql.pass,
        passValues(server, batch),
      );
      const byName = new Map(rows.map((row) => [row.lock_name, row]));
      return batch.map(({ lockName }): PassAnswer => {
        const row = byName.get(lockName);
        if (!row) return { outcome: 'lost' };
        return row.passes
          ? { outcome: 'passed', lease: toLease(row) }
          : { outcome: 'released', next: toNext(row), serverTime: toTime(row.server_time) };
      });
    });
  }

  async wake(wakeUps: readonly WakeUp[]): Promise<void> {
    await this.#notify(wakeUps.map(({ server, lockName }) => `${server} ${lockName}`));
  }

  listen(listener: WakeUpListener): void {
    this.server = listener.server;
    this.notifications.start({
      onNotification: (payload) => {
        const space = payload.indexOf(' ');
        listener.onWakeUp({ server: payload.slice(0, space), lockName: payload.slice(space + 1) });
      },
      onMode: (mode) => listener.onMode(mode),
      notify: (payload) => this.#notify([payload]),
    });
  }

  close(): Promise<void> {
    return this.notifications.stop();
  }

  async #notify(payloads: readonly string[]): Promise<void> {
    await this.lanes.queue.run(this.sql.notify, [this.notifications.channel, payloads]);
  }
}
