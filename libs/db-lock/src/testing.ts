import { basicCases } from './testing/basic.cases.js';
import { clientCases } from './testing/client.cases.js';
import type { CaseContext } from './testing/context.js';
import { fencingCases } from './testing/fencing.cases.js';
import { leaseCases } from './testing/lease.cases.js';
import { setCases } from './testing/set.cases.js';
import { sharedCases } from './testing/shared.cases.js';
import { subjectOfStore, type ConformanceSubject, type TestRunner } from './testing/subject.js';
import { waitingCases } from './testing/waiting.cases.js';
import type { LockClient } from './client/lock-client.js';

export { subjectOfStore, type ConformanceSubject, type TestRunner };
export { MemoryLockStore, type MemoryLockStoreOptions } from './store/memory/memory-lock-store.js';
export {
  DbLockTestingModule,
  getTestLocksToken,
  type DbLockTestingOptions,
} from './testing/db-lock-testing.module.js';
export { TestLocks, underTestLocks } from './testing/test-locks.js';

export interface ConformanceOptions {
  /** How many grants of one lock case 22 makes; default 10,000. */
  grants?: number;
}

/** Milliseconds for opening a subject, on a busy machine. */
const OPENING = 60_000;

/**
 * The behaviours that every store and every client must show, each as a test of the runner:
 *
 *     import { describe, it, beforeAll, afterAll } from '@jest/globals';
 *     lockConformance({ describe, it, beforeAll, afterAll }, 'my store', async () => subjectOfStore(await MyStore.open()));
 *
 * @param open opens the store, over data that outlives the subject: one case closes it and opens it again.
 */
export function lockConformance(
  runner: TestRunner,
  name: string,
  open: () => Promise<ConformanceSubject>,
  { grants }: ConformanceOptions = {},
): void {
  runner.describe(name, () => {
    let subject: ConformanceSubject;
    let clients: LockClient[];

    const start = async (): Promise<void> => {
      subject = await open();
      clients = [subject.client(), subject.client()];
    };
    const stop = async (): Promise<void> => {
      await Promise.all(clients.map((client) => client.close()));
      await subject.close();
    };
    const context: CaseContext = {
      get client() {
        return clients[0]!;
      },
      get other() {
        return clients[1]!;
      },
      get store() {
        return subject.store;
      },
      get server() {
        return subject.server;
      },
      async restart() {
        await stop();
        await start();
      },
    };

    runner.beforeAll(start, OPENING);
    runner.afterAll(stop, OPENING);
    basicCases(runner, context);
    leaseCases(runner, context);
    fencingCases(runner, context, grants);
    clientCases(runner, context);
    waitingCases(runner, context);
    setCases(runner, context);
    sharedCases(runner, context);
  });
}
