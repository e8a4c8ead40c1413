import { LocalTransport } from '../client/local-transport.js';
import { LockClient } from '../client/lock-client.js';
import { defaultWorkerName } from '../lease/worker.js';
import { LockServer } from '../server/lock-server.js';
import type { LockStore } from '../store/lock-store.js';

/** What the conformance suite needs of a test runner; jest, vitest and mocha have it. */
export interface TestRunner {
  describe: (name: string, body: () => void) => void;
  it: (name: string, body: () => Promise<void>, timeout?: number) => void;
  beforeAll: (body: () => Promise<void>, timeout?: number) => void;
  afterAll: (body: () => Promise<void>, timeout?: number) => void;
}

/** A store under test, and a way to it. */
export interface ConformanceSubject {
  /** Each call makes the client of another worker. The suite closes it. */
  client(): LockClient;
  /** The store behind the clients. */
  store: LockStore;
  /** The rules on top of it. */
  server: LockServer;
  /** Closes everything that this subject opened. */
  close(): Promise<void>;
}

/** A subject for a store of yours, with clients in the same process. */
export function subjectOfStore(store: LockStore): ConformanceSubject {
  const server = new LockServer(store);
  return {
    store,
    server,
    client: () =>
      new LockClient(
        { ttl: 30_000, workerName: defaultWorkerName(), retries: 2 },
        new LocalTransport(server),
      ),
    close: () => {
      server.stopWaiting();
      return store.close();
    },
  };
}
