import type { OnApplicationShutdown } from '@nestjs/common';
import { LocalTransport } from '../client/local-transport.js';
import { LockClient } from '../client/lock-client.js';
import type { ClientSettings } from '../client/basic-lock-client.js';
import { noteLockedMethods } from '../decorators/lock-explorer.js';
import { LockEvents, type LockEvent } from '../events/lock-events.js';
import { DEFAULT_TTL, type Duration } from '../lease/duration.js';
import { DEFAULT_FEATURE } from '../model/feature.js';
import { LockServer } from '../server/lock-server.js';
import { MemoryLockStore } from '../store/memory/memory-lock-store.js';

const settingsOf = (workerName: string, events?: LockEvents): ClientSettings => ({
  ttl: DEFAULT_TTL,
  workerName,
  retries: 0,
  events,
});

/** What a unit test sees of locks in memory, and does to them. */
export class TestLocks implements AsyncDisposable, OnApplicationShutdown {
  /** What has happened, in its order. */
  readonly history: LockEvent[] = [];
  /** The client of another worker: what it holds is busy for those under test. */
  readonly elsewhere: LockClient;
  readonly store: MemoryLockStore;
  readonly #ending: { unsubscribe(): void };

  /** @internal Made by `underTestLocks` and DbLockTestingModule. */
  constructor(
    /** The client of those under test. */
    readonly client: LockClient,
    server: LockServer,
    events: LockEvents,
  ) {
    this.store = server.store as MemoryLockStore;
    this.elsewhere = new LockClient(settingsOf('elsewhere'), new LocalTransport(server));
    this.#ending = events.events$.subscribe((event) => this.history.push(event));
  }

  /**
   * Lets time pass at once: leases expire, are kept alive and are lost as if it had passed.
   * @param duration milliseconds, or a duration such as '31s'
   */
  advance(duration: Duration): Promise<void> {
    return this.store.advance(duration);
  }

  /** Releases what is still held. In an application, its shutdown does it. */
  async close(): Promise<void> {
    await this.client.close();
    await this.onApplicationShutdown();
    await this.store.close();
  }

  /** @internal The application closes its own client. */
  async onApplicationShutdown(): Promise<void> {
    await this.elsewhere.close();
    this.#ending.unsubscribe();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/**
 * Lets methods with `@UseLock()` run under locks in memory, on objects that no Nest application has made. Returns what the test sees of
 * these locks:
 *
 *     const orders = new OrderService(repository);
 *     const locks = underTestLocks(orders);
 *     await orders.ship('42');
 *     expect(locks.history).toMatchObject([{ type: 'acquired', lockName: 'order:42' }, { type: 'released' }]);
 *
 * Give a class that takes a LockClient that of other locks: `new OrderService(underTestLocks().client)`.
 * @throws DbLockConfigurationError when a decorator was given what can't be.
 */
export function underTestLocks(...objects: object[]): TestLocks {
  const store = new MemoryLockStore();
  const events = new LockEvents(DEFAULT_FEATURE);
  const server = new LockServer(store, { events });
  const client = new LockClient(settingsOf('test', events), new LocalTransport(server));
  // One client serves all features.
  const application = { get: () => client };
  for (const object of objects) noteLockedMethods(object, application);
  return new TestLocks(client, server, events);
}
