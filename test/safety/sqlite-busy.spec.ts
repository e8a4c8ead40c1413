import { expect, it } from '@jest/globals';
import libsql from 'libsql';
import { LockClient } from 'nestjs-db-lock';
import { setTimeout as sleep } from 'node:timers/promises';
import { sqliteStorage } from '../support/databases.js';
import { createLockApplication } from '../support/lock-application.js';

it('reads a file of SQLite while it waits to write, and lets others write afterwards', async () => {
  const storage = await sqliteStorage();
  const database = storage.options();
  const app = await createLockApplication({ database });
  const locks = app.get(LockClient);
  const other = new libsql(database.database as string);
  try {
    other.exec('BEGIN IMMEDIATE');
    const acquiring = locks.acquire('late');
    for (let looks = 0; looks < 100; looks++) {
      expect(await locks.inspect('late')).toBeNull();
      await sleep(1);
    }
    other.exec('COMMIT');
    await (await acquiring).release();
    other.exec('BEGIN IMMEDIATE');
    other.exec('COMMIT');
  } finally {
    other.close();
    await app.close();
    await storage.drop();
  }
});
