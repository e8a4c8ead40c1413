import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { dbLockEntities, DbLockModule, dbLockMigrations, dbLockSchemaSql, LockClient } from 'nestjs-db-lock';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Test } from '@nestjs/testing';
import { DataSource } from 'typeorm';
import { AdminScene } from '../admin/scene.js';
import { BlockingSession } from '../support/blocking-session.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

describe('migrations', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createTestDatabase();
  });

  afterAll(() => database.drop());

  const open = (options: object = {}) =>
    new DataSource({
      type: 'postgres',
      url: database.url,
      entities: [...dbLockEntities(), ...dbLockEntities('billing_eu')],
      migrations: [...dbLockMigrations(), ...dbLockMigrations({ feature: 'billing_eu' })],
      ...options,
    }).initialize();

  const startsWith = async (feature: string, url = database.url, options: object = {}) => {
    const module = await Test.createTestingModule({
      imports: [
        TypeOrmModule.forRoot({ type: 'postgres', url, autoLoadEntities: true }),
        DbLockModule.forRoot({ feature, isGlobal: true, ...options }),
      ],
    }).compile();
    await module.init();
    await module.close();
  };

  it('make the tables of each feature, exactly as the entities say, and remove them again', async () => {
    const dataSource = await open();
    const run = await dataSource.runMigrations();
    expect(run.map(({ name }) => name)).toEqual([
      'CreateDblockLock1763900000000',
      'CreateBillingEuLock1763900000000',
      'AddDblockLockHistory1764000000000',
      'AddBillingEuLockHistory1764000000000',
      'RenameDblockLockIndex1764100000000',
      'RenameBillingEuLockIndex1764100000000',
    ]);
    const { upQueries } = await dataSource.driver.createSchemaBuilder().log();
    expect(upQueries.map(({ query }) => query)).toEqual([]);
    await startsWith('dblock');
    await startsWith('billing_eu');
    for (let undone = 0; undone < run.length; undone++) await dataSource.undoLastMigration();
    await expect(startsWith('dblock')).rejects.toThrow('does not exist');
    await dataSource.destroy();
  });

  it('bring tables of before the history up to date, and back, without losing what operators did', async () => {
    const second = await createTestDatabase();
    const dataSource = await open({ url: second.url });
    await dataSource.runMigrations();
    for (let undone = 0; undone < 4; undone++) await dataSource.undoLastMigration();
    await dataSource.query(
      `INSERT INTO dblock_history (lock_name, event, worker_name, token, actor, reason, event_time)
      VALUES ('old', 'forced', 'ann', 1, 'eve', 'it hung', now())`,
    );
    await expect(startsWith('dblock', second.url)).rejects.toThrow('AddDblockLockHistory1764000000000');
    await startsWith('dblock', second.url, { createTables: true });
    await dataSource.runMigrations();
    const { upQueries } = await dataSource.driver.createSchemaBuilder().log();
    expect(upQueries.map(({ query }) => query)).toEqual([]);
    await startsWith('dblock', second.url);
    expect(await dataSource.query('SELECT reason FROM dblock_history')).toEqual([{ reason: 'it hung' }]);
    await dataSource.destroy();
    await second.drop();
  });

  it("are in nobody's way when there is nothing to create: a server starts, and another goes on, beside whoever reads", async () => {
    await using scene = await AdminScene.open();
    const lease = await scene.lease('job');
    const reader = await BlockingSession.open(scene.service.databaseUrl);
    await reader.query('BEGIN');
    await reader.query(
      'LOCK TABLE dblock_lock, dblock_history, dblock_statistics, dblock_waiter IN ACCESS SHARE MODE',
    );
    const starting = scene.openBeside();
    const answers = starting.then(
      () => 'started',
      (error: unknown) => error,
    );
    expect((await scene.forceRelease('job')).status).toBe(200);
    expect((await scene.hold({ lockName: 'job', ttl: '1h' })).status).toBe(201);
    expect((await scene.history('job')).items.map(({ event }) => event)).toContain('forced');
    expect(await answers).toBe('started');
    await using beside = await starting;
    expect((await beside.inspect('job')).fencingToken).toBeGreaterThan(lease.fencingToken);
    await reader.close();
  });

  it('give up soon where they must change a table that is in use, and say so', async () => {
    const second = await createTestDatabase();
    const dataSource = await open({ url: second.url });
    await dataSource.runMigrations();
    for (let undone = 0; undone < 4; undone++) await dataSource.undoLastMigration();
    await dataSource.destroy();
    const reader = await BlockingSession.open(second.url);
    await reader.query('BEGIN');
    await reader.query('SELECT count(*) FROM dblock_history');
    const start = () => startsWith('dblock', second.url, { createTables: true });
    await expect(start()).rejects.toMatchObject({
      code: 'LOCK_TABLE_MISSING',
      message: expect.stringMatching(/"dblock_history".* in use /),
    });
    await reader.letGo();
    await start();
    await reader.close();
    await second.drop();
  });

  it('print as SQL that a DBA can run', async () => {
    const dataSource = await open();
    await dataSource.query('CREATE SCHEMA ops');
    await dataSource.query(dbLockSchemaSql({ schema: 'ops' }));
    await dataSource.destroy();
    const inSchema = await open({ schema: 'ops' });
    const { upQueries } = await inSchema.driver.createSchemaBuilder().log();
    expect(upQueries.map(({ query }) => query).filter((query) => /"dblock_/.test(query))).toEqual([]);
    const [table] = (await inSchema.query(
      `SELECT reloptions FROM pg_class WHERE oid = 'ops.dblock_lock'::regclass`,
    )) as Array<{ reloptions: string[] }>;
    expect(table!.reloptions).toEqual(['fillfactor=50']);
    await inSchema.destroy();

    const module = await Test.createTestingModule({
      imports: [
        TypeOrmModule.forRoot({ type: 'postgres', url: database.url, schema: 'ops', autoLoadEntities: true }),
        DbLockModule.forRoot(),
      ],
    }).compile();
    await module.init();
    await (await module.get(LockClient).acquire('in-schema')).release();
    await module.close();
  });

  it("take a DataSource's own synchronize, too", async () => {
    const second = await createTestDatabase();
    const module = await Test.createTestingModule({
      imports: [
        TypeOrmModule.forRoot({
          type: 'postgres',
          url: second.url,
          synchronize: true,
          autoLoadEntities: true,
        }),
        DbLockModule.forRoot(),
      ],
    }).compile();
    await module.init();
    await (await module.get(LockClient).acquire('synchronized')).release();
    await module.close();
    await second.drop();
  });

  it('refuse a table that would not keep locks apart', async () => {
    const second = await createTestDatabase();
    const dataSource = await new DataSource({ type: 'postgres', url: second.url }).initialize();
    const start = () =>
      Test.createTestingModule({
        imports: [
          TypeOrmModule.forRoot({ type: 'postgres', url: second.url, autoLoadEntities: true }),
          DbLockModule.forRoot(),
        ],
      }).compile();
    await dataSource.query(dbLockSchemaSql());
    await dataSource.query('ALTER TABLE dblock_lock DROP COLUMN metadata');
    await expect(start()).rejects.toThrow('lacks the columns metadata');
    await dataSource.query('ALTER TABLE dblock_lock ADD COLUMN metadata jsonb');
    await dataSource.query('ALTER TABLE dblock_lock DROP CONSTRAINT dblock_lock_pkey');
    await expect(start()).rejects.toThrow('no primary key on lock_name');
    await dataSource.query(
      `CREATE COLLATION ignoring_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
    );
    await dataSource.query('ALTER TABLE dblock_lock ALTER lock_name TYPE varchar(255) COLLATE ignoring_case');
    await dataSource.query('ALTER TABLE dblock_lock ADD PRIMARY KEY (lock_name)');
    await expect(start()).rejects.toThrow('must compare byte by byte');
    await dataSource.destroy();
    await second.drop();
  });
});
