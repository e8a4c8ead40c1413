import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { EventEmitter, once } from 'node:events';
import { Global, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { getDataSourceToken } from '@nestjs/typeorm';
import { ClientClosedError, dbLockEntities, DbLockModule, LockClient } from 'nestjs-db-lock';
import { DataSource } from 'typeorm';
import { request } from 'undici';
import { PATIENT } from '../faults/scene.js';
import { tamperedPostgres } from '../faults/tampered-postgres.js';
import { BlockingSession } from '../support/blocking-session.js';
import { createLockApplication, listen } from '../support/lock-application.js';
import { MemoryLogger } from '../support/memory-logger.js';
import { until } from '../support/patience.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

describe('the shutdown of an application', () => {
  let database: TestDatabase;
  let session: BlockingSession;

  beforeEach(async () => {
    database = await createTestDatabase();
    session = await BlockingSession.open(database.url);
  });

  afterEach(async () => {
    await session.close();
    await database.drop();
  });

  const stateOf = async (name: string) => {
    const [row] = await session.query<{ held: boolean }>(
      'SELECT grant_id IS NOT NULL AND expire_time > now() AS held FROM dblock_lock WHERE lock_name = $1',
      [name],
    );
    return row!.held ? 'held' : 'free';
  };

  it('releases the leases that are held, and tells their holders (case 39)', async () => {
    const logger = new MemoryLogger();
    const app = await createLockApplication({ database: { type: 'postgres', url: database.url }, logger });
    const locks = app.get(LockClient);
    const held = await locks.acquire('held', { ttl: '60s', keepAlive: true });
    const released = await locks.acquire('released', { ttl: '60s' });
    await released.release();
    const begun = new EventEmitter();
    const working = locks.withLock('working', { ttl: '60s' }, ({ signal }) => {
      begun.emit('work');
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve('stopped')));
    });
    await once(begun, 'work');

    await app.close();
    expect(await stateOf('held')).toBe('free');
    expect(await stateOf('working')).toBe('free');
    expect(await working).toBe('stopped');
    expect(held.signal.reason).toMatchObject({ code: 'LEASE_LOST', reason: 'shutdown' });
    expect(released.signal.aborted).toBe(false);
    await expect(locks.acquire('late')).rejects.toThrow(ClientClosedError);
    expect(logger.warnings.filter((warning) => warning.includes('lost'))).toEqual([]);

    // The server's processes end a moment after their connections.
    await until('the end of every connection', 10_000, async () => {
      const left = await session.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
      );
      return left.length === 0;
    });
  });

  it("leaves the application's own DataSource open (case 39)", async () => {
    const dataSource = await new DataSource({
      type: 'postgres',
      url: database.url,
      entities: dbLockEntities(),
    }).initialize();
    @Global()
    @Module({
      providers: [{ provide: getDataSourceToken(), useValue: dataSource }],
      exports: [getDataSourceToken()],
    })
    class DatabaseModule {}
    const module = await Test.createTestingModule({
      imports: [DatabaseModule, DbLockModule.forRoot({ createTables: true })],
    }).compile();
    await module.init();
    await module.get(LockClient).acquire('mine');
    await module.close();
    expect(dataSource.isInitialized).toBe(true);
    expect(await dataSource.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await dataSource.destroy();
  });

  it.each(['express', 'fastify'] as const)('lets requests in flight finish, on %s', async (platform) => {
    const driver = tamperedPostgres(PATIENT);
    const app = await createLockApplication({
      database: { type: 'postgres', url: database.url, driver },
      platform,
    });
    const origin = await listen(app);
    const acquire = () =>
      request(`${origin}/dblock/locks/in-flight/lease`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"ttl":"60s"}',
        reset: true, // no connection that the server has to wait for
      });
    await session.lockTable();
    const answering = acquire();
    await session.awaitWaiter();
    const closing = app.close();
    await session.letGo();
    expect((await answering).statusCode).toBe(201);
    await closing;
    expect(await stateOf('in-flight')).toBe('held'); // a remote client's lease is its own to release
    await expect(acquire()).rejects.toThrow();
  });
});
