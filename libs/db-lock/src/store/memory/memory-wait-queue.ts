import type {
  PassAnswer,
  PassRequest,
  QueuePlace,
  Waiter,
  WaitQueue,
  WakeUp,
  WakeUpListener,
} from '../wait-queue.js';
import { dateOf, microseconds, type MemoryTables, type WaiterRow } from './memory-tables.js';

/** Queues in memory, for all servers over one store. */
export class MemoryWaitQueue implements WaitQueue {
  readonly #listeners = new Set<WakeUpListener>();
  #lastTicket = 0;

  constructor(private readonly tables: MemoryTables) {}

  async join(server: string, waiters: readonly Waiter[]): Promise<number[]> {
    const now = microseconds(this.tables.now());
    return waiters.map(({ ticket, ...waiter }) => {
      const place = ticket ?? (this.#lastTicket = Math.max(now, this.#lastTicket) + 1);
      const known = this.#at({ ...waiter, ticket: place });
      const aliveUntil = this.tables.aliveUntil();
      if (known) known.aliveUntil = aliveUntil;
      else this.tables.waiters.push({ ...waiter, ticket: place, server, aliveUntil });
      return place;
    });
  }

  async leave(places: readonly QueuePlace[]): Promise<void> {
    const gone = new Set(places.map((place) => this.#at(place)));
    this.tables.waiters = this.tables.waiters.filter((waiter) => !gone.has(waiter));
  }

  async stay(server: string): Promise<QueuePlace[]> {
    const now = this.tables.now();
    this.tables.waiters = this.tables.waiters.filter(
      (waiter) => waiter.server === server || waiter.aliveUntil > now,
    );
    const own = this.tables.waiters.filter((waiter) => waiter.server === server);
    for (const waiter of own) waiter.aliveUntil = this.tables.aliveUntil();
    return own.map(({ lockName, grantId, ticket }) => ({ lockName, grantId, ticket }));
  }

  async pass(server: string, requests: readonly PassRequest[]): Promise<PassAnswer[]> {
    return requests.map(({ lockName, grantId, successor }) => {
      const row = this.tables.liveLease(lockName, grantId);
      if (!row) return { outcome: 'lost' };
      const ticket = successor.ticket ?? Infinity;
      const isBehind = this.tables
        .aliveWaiters(lockName)
        .some((waiter) => waiter.ticket < ticket && waiter.server !== server);
      if (isBehind) {
        this.tables.release(row);
        const next = this.tables.nextInLine(lockName, grantId);
        return { outcome: 'released', next, serverTime: dateOf(this.tables.now()) };
      }
      const granted = this.tables.grant(lockName, successor);
      this.tables.leaveQueue(lockName, successor.grantId);
      return { outcome: 'passed', lease: this.tables.leaseOf(granted) };
    });
  }

  async wake(wakeUps: readonly WakeUp[]): Promise<void> {
    for (const wakeUp of wakeUps) for (const listener of this.#listeners) listener.onWakeUp(wakeUp);
  }

  listen(listener: WakeUpListener): void {
    this.#listeners.add(listener);
    queueMicrotask(() => listener.onMode('notify'));
  }

  /** Wakes nobody any more. */
  close(): void {
    this.#listeners.clear();
  }

  #at({ lockName, grantId, ticket }: QueuePlace): WaiterRow | undefined {
    return this.tables.waiters.find(
      (waiter) => waiter.lockName === lockName && waiter.grantId === grantId && waiter.ticket === ticket,
    );
  }
}
