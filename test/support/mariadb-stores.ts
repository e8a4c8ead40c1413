import type { INestApplication } from '@nestjs/common';
import { LockClient, LockServer } from 'nestjs-db-lock';
import { randomUUID } from 'node:crypto';
import { LOCK_STORE } from '../../libs/db-lock/src/module/private-tokens.js';
import type { LockStore } from '../../libs/db-lock/src/store/lock-store.js';
import { tamperedMariadb } from '../faults/tampered-mariadb.js';
import type { Tampering } from '../faults/tampering.js';
import { createLockApplication } from './lock-application.js';
import { MemoryLogger } from './memory-logger.js';
import type { DbLockModuleOptions } from 'nestjs-db-lock';

/** An application that keeps locks in a MariaDB, and the store below it. */
export interface MariadbHost {
  app: INestApplication;
  store: LockStore;
  server: LockServer;
  client: LockClient;
}

/** Several applications over one database; they share nothing else. */
export function openMariadbHosts(
  url: string,
  count: number,
  options: DbLockModuleOptions = {},
  ...tamperings: Tampering[]
): Promise<MariadbHost[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const app = await createLockApplication({
        database: {
          type: 'mariadb',
          url,
          poolSize: 2,
          retryAttempts: 1,
          ...(tamperings.length > 0 && { driver: tamperedMariadb(tamperings) }),
        },
        features: [options],
        logger: new MemoryLogger(),
      });
      return {
        app,
        store: app.get<LockStore>(LOCK_STORE),
        server: app.get(LockServer),
        client: app.get(LockClient),
      };
    }),
  );
}

/** Asks for a lease of a lock. */
export const requestOf = (lockName: string, ttl = 60_000) => ({
  lockName,
  workerName: 'ann',
  grantId: randomUUID(),
  ttl,
  metadata: null,
});
