import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { dbLockEntities, DbLockModule, dbLockMigrations, dbLockSchemaSql, LockClient } from 'nestjs-db-lock';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Test } from '@nestjs/testing';
import pg from 'pg';
import { DataSource, type MigrationInterface } from 'typeorm';
import { AdminScene } from '../admin/scene.js';
import { BlockingSession } from '../support/blocking-session.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { differences } from './differences.js';

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
      'UpdateDblockLockTables1764100000000',
      'UpdateBillingEuLockTables1764100000000',
      'AddDblockLockHolders1764200000000',
      'AddBillingEuLockHolders1764200000000',
    ]);
    expect(await differences(dataSource)).toEqual([]);
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
    for (let undone = 0; undone < 6; undone++) await dataSource.undoLastMigration();
    await dataSource.query(
      `INSERT INTO dblock_history (lock_name, event, worker_name, token, actor, reason, event_time)
      VALUES ('old', 'forced', 'ann', 1, 'eve', 'it hung', now())`,
    );
    await expect(startsWith('dblock', second.url)).rejects.toThrow('AddDblockLockHistory1764000000000');
    await startsWith('dblock', second.url, { createTables: true });
    await dataSource.runMigrations();
    expect(await differences(dataSource)).toEqual([]);
    await startsWith('dblock', second.url);
    expect(await dataSource.query('SELECT reason FROM dblock_history')).toEqual([{ reason: 'it hung' }]);
    await dataSource.destroy();
    await second.drop();
  });

  it('keep what was counted when they make JSON of arrays, and back', async () => {
    const second = await createTestDatabase();
    const dataSource = await open({ url: second.url });
    await dataSource.runMigrations();
    for (let undone = 0; undone < 4; undone++) await dataSource.undoLastMigration();
    const insert = (minute: number) =>
      dataSource.query(
        `INSERT INTO dblock_statistics (period, hold, wait, contended)
        VALUES (now() - $1 * interval '1 minute', '{1,2,9007199254740993}', '{0,3}', '{}')`,
        [minute],
      );
    await insert(1);
    await expect(startsWith('dblock', second.url)).rejects.toThrow(
      'The table "dblock_waiter" lacks the columns permits, permit_limit',
    );
    const addHolders = new (dbLockMigrations().at(-1)!)() as MigrationInterface;
    await addHolders.up(dataSource.createQueryRunner());
    await expect(startsWith('dblock', second.url)).rejects.toThrow(
      'lacks the columns hold_times, wait_times',
    );
    await startsWith('dblock', second.url, { createTables: true });
    await dataSource.runMigrations();
    const counted = () =>
      dataSource.query('SELECT hold_times::text, wait_times::text FROM dblock_statistics');
    const times = { hold_times: '[1, 2, 9007199254740993]', wait_times: '[0, 3]' };
    expect(await counted()).toEqual([times]);
    for (let undone = 0; undone < 4; undone++) await dataSource.undoLastMigration();
    await insert(2);
    await dataSource.runMigrations();
    expect(await counted()).toEqual([times, times]);
    expect(await differences(dataSource)).toEqual([]);
    await dataSource.destroy();
    await second.drop();
  });

  it('and all that TypeORM asks about the tables never overlap on a connection, which pg 9 is going to refuse', async () => {
    const second = await createTestDatabase();
    const overlapping: unknown[] = [];
    const busy = new WeakSet<object>();
    const { query } = pg.Client.prototype;
    const spy = jest.spyOn(pg.Client.prototype, 'query').mockImplementation(async function (
      this: pg.Client,
      ...parameters: unknown[]
    ) {
      if (busy.has(this)) overlapping.push(parameters[0]);
      busy.add(this);
      return Reflect.apply(query, this, parameters).finally(() => busy.delete(this));
    } as never);
    const dataSource = await open({ url: second.url });
    await dataSource.runMigrations();
    expect(await differences(dataSource)).toEqual([]);
    await dataSource.synchronize();
    await startsWith('dblock', second.url, { createTables: true });
    expect(spy).toHaveBeenCalled();
    expect(overlapping).toEqual([]);
    spy.mockRestore();
    await dataSource.destroy();
    await second.drop();
  });

  it("are in nobody's way when there is nothing to create: a server starts, and another goes on, beside whoever reads", async () => {
    await using scene = await AdminScene.open();
    const lease = await scene.lease('job');
    const reader = await BlockingSession.open(scene.service.databaseUrl);
    await reader.query('BEGIN');
    await reader.query(
      'LOCK TABLE dblock_lock, dblock_holder, dblock_history, dblock_statistics, dblock_waiter IN ACCESS SHARE MODE',
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
    for (let undone = 0; undone < 6; undone++) await dataSource.undoLastMigration();
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
    expect((await differences(inSchema)).filter((query) => /"dblock_/.test(query))).toEqual([]);
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
