import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  createLockClient,
  DbLockConfigurationError,
  LockClient,
  LockTableMissingError,
  type LockClientOptions,
} from 'nestjs-db-lock';
import { DataSource } from 'typeorm';
import { sharedSymbol } from '../../libs/db-lock/src/lease/copies.js';
import { createLockApplication, listen } from '../support/lock-application.js';
import { until } from '../support/patience.js';
import { createTestDatabase, queryDatabase, type TestDatabase } from '../support/test-database.js';

/** How many timers of the library are set in this process. */
const timersSet = () =>
  (globalThis as unknown as Record<symbol, { size: number }>)[sharedSymbol('timers')]!.size;

describe('a lock client without an application', () => {
  let database: TestDatabase;
  const clients: LockClient[] = [];

  const create = async (options: LockClientOptions) => {
    const client = await createLockClient(options);
    clients.push(client);
    return client;
  };

  const query = <Row extends object>(sql: string) => queryDatabase<Row>(database.url, sql);

  const sessions = async () => {
    const [row] = await query<{ count: string }>(
      "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE '%db-lock'",
    );
    return Number(row!.count);
  };

  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
  });
  afterAll(() => database.drop());

  it('lacks tables until it may make them', async () => {
    const place = { database: { type: 'postgres', url: database.url } } as const;
    await expect(createLockClient({ ...place, feature: 'scripts' })).rejects.toThrow(LockTableMissingError);
    const client = await create({ ...place, feature: 'scripts', createTables: true });
    await client.acquire('job');
    await expect(query('SELECT lock_name FROM scripts_lock')).resolves.toEqual([{ lock_name: 'job' }]);
  });

  it('ends with its block: leases are released, what happened is recorded, sessions end', async () => {
    {
      await using client = await createLockClient({
        database: { type: 'postgres', url: database.url },
        createTables: true,
        workerName: 'script',
      });
      expect(client).toBeInstanceOf(LockClient);
      const lease = await client.acquire('import', { ttl: '1m' });
      expect(lease.workerName).toBe('script');
      expect(await client.tryAcquire('import')).toBeNull();
    }
    expect(await sessions()).toBe(0);
    await expect(
      query("SELECT event FROM dblock_history WHERE lock_name = 'import' ORDER BY id"),
    ).resolves.toEqual([{ event: 'acquired' }, { event: 'released' }]);
  });

  it('goes where a DataSource does, which stays as it is', async () => {
    const dataSource = new DataSource({ type: 'postgres', url: database.url });
    const client = await create({ dataSource, createTables: true });
    await client.withLock('job', async (lease) => expect(lease.fencingToken).toBeGreaterThan(0));
    expect(dataSource.isInitialized).toBe(false);
    await dataSource.initialize();
    const other = await create({ dataSource });
    await other.withLock('job', async () => undefined);
    await other.close();
    await expect(dataSource.query('SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
    await dataSource.destroy();
  });

  it('takes its locks from a remote server', async () => {
    const app = await createLockApplication({ database: { type: 'postgres', url: database.url } });
    const apiServer = `${await listen(app)}/dblock`;
    const client = await create({ apiServer });
    const lease = await client.acquire('remote');
    await expect(app.get(LockClient).inspect('remote')).resolves.toMatchObject({
      fencingToken: lease.fencingToken,
    });
    await client.close();
    await app.close();
  });

  it('leaves nothing behind, also when somebody has waited', async () => {
    const before = timersSet();
    const client = await create({ database: { type: 'postgres', url: database.url }, createTables: true });
    const lease = await client.acquire('busy');
    const waiting = client.acquire('busy', { wait: '1m' });
    await until('one waits', 10_000, async () => (await client.inspect('busy'))?.waiting === 1);
    await lease.release();
    await (await waiting).release();
    await client.close();
    expect(timersSet()).toBe(before);
  });

  it('leaves no lock behind that is granted while it closes', async () => {
    const client = await create({
      database: { type: 'postgres', url: database.url },
      createTables: true,
      history: false,
    });
    const acquiring = [0, '1m'].map((wait) =>
      client.acquire(`closing-${wait}`, { ttl: '1h', wait }).catch((error: unknown) => error),
    );
    await new Promise(setImmediate); // until they are on their way
    await client.close();
    expect(await Promise.all(acquiring)).toMatchObject([
      { code: 'CLIENT_CLOSED' },
      { code: 'CLIENT_CLOSED' },
    ]);
    const held =
      "SELECT lock_name FROM dblock_lock WHERE lock_name LIKE 'closing-%' AND grant_id IS NOT NULL";
    await expect(query(held)).resolves.toEqual([]);
  });

  it('may be closed again and again', async () => {
    const client = await create({ database: { type: 'postgres', url: database.url }, createTables: true });
    await Promise.all([client.close(), client.close()]);
    await client.close();
    await expect(client.acquire('job')).rejects.toThrow('closed');
  });

  it.each<[LockClientOptions, string]>([
    [{}, 'database: is needed, or dataSource or apiServer'],
    [
      { database: { type: 'postgres' }, apiServer: 'http://localhost' },
      'apiServer: says where locks are, and so does database',
    ],
    [{ database: { type: 'postgres', url: 'nowhere' } }, 'database.url: must be an address'],
    [
      { dataSource: { options: { type: 'oracle' } } as never },
      'dataSource: a DataSource of type "oracle" can\'t hold locks',
    ],
    [{ dataSource: 'default' as never }, 'dataSource: must be a DataSource of TypeORM.'],
    [{ apiServer: 'nowhere' }, 'apiServer: must be an http or https address'],
    [{ apiServer: 'http://localhost', createTables: true }, 'createTables: is about locks in this database'],
    [{ database: { type: 'postgres' }, ttl: 'soon' }, 'ttl: must be whole milliseconds'],
    [{ database: { type: 'postgres' }, path: 'locks' } as never, 'path: is not a known field'],
  ])('is refused when its options can be none: %j', async (options, message) => {
    const creating = createLockClient(options);
    await expect(creating).rejects.toThrow(DbLockConfigurationError);
    await expect(creating).rejects.toThrow(message);
  });
});
