import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import { Test } from '@nestjs/testing';
import libsql from 'libsql';
import {
  createLockClient,
  dbLockEntities,
  dbLockMigrations,
  DbLockModule,
  dbLockSchemaSql,
  Lock,
  LockBase,
  LockClient,
  LockHistory,
  LockServer,
  type DbLockModuleOptions,
} from 'nestjs-db-lock';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Column, DataSource, Entity, type DataSourceOptions } from 'typeorm';
import { differences } from './differences.js';

@Entity('job_lock')
class JobLock extends LockBase {
  @Column({ name: 'team', type: 'text', nullable: true })
  team!: string | null;
}

describe('locks in SQLite', () => {
  let directory: string;
  let database: string;
  let app: INestApplication | undefined;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'db-lock-sqlite-'));
    database = join(directory, 'app.db');
  });

  afterEach(async () => {
    await app?.close();
    app = undefined;
    await rm(directory, { recursive: true });
  });

  const place = () => ({ type: 'better-sqlite3', driver: libsql, database }) as const;

  const start = async (
    source: object = {},
    ...features: DbLockModuleOptions[]
  ): Promise<INestApplication> => {
    const module = await Test.createTestingModule({
      imports: [
        TypeOrmModule.forRoot({ ...place(), autoLoadEntities: true, retryAttempts: 0, ...source }),
        ...(features.length > 0 ? features : [{}]).map((feature) => DbLockModule.forRoot(feature)),
      ],
    }).compile();
    app = module.createNestApplication();
    await app.init();
    return app;
  };

  const open = async (options: object = {}): Promise<DataSource> =>
    new DataSource({
      ...place(),
      entities: [...dbLockEntities(), ...dbLockEntities('billing')],
      migrations: [...dbLockMigrations(), ...dbLockMigrations({ feature: 'billing' })],
      ...options,
    } as DataSourceOptions).initialize();

  it('are in tables that migrations make, exactly as the entities say, and remove again', async () => {
    const dataSource = await open();
    const run = await dataSource.runMigrations();
    expect(run).toHaveLength(8);
    expect(await differences(dataSource)).toEqual([]);
    await start({}, { feature: 'dblock' }, { feature: 'billing' });
    await app!.close();
    app = undefined;
    for (let undone = 0; undone < run.length; undone++) await dataSource.undoLastMigration();
    await dataSource.destroy();
    await expect(start()).rejects.toThrow('The table "dblock_lock" does not exist.');
  });

  it.each([
    ['createTables', {}, { createTables: true }],
    ['synchronize', { synchronize: true }, {}],
  ])('are in tables that %s makes, with a prefix, too', async (_, source, options) => {
    for (const entityPrefix of ['', 'shop_']) {
      await start({ entityPrefix, ...source }, options);
      await (await app!.get(LockClient).acquire('job')).release();
      await app!.close();
      const dataSource = await open({ entityPrefix, entities: dbLockEntities() });
      expect(await differences(dataSource)).toEqual([]);
      await dataSource.destroy();
    }
    app = undefined;
  });

  it('are in tables that the printed SQL makes', async () => {
    const dataSource = await open({ entities: dbLockEntities() });
    for (const statement of dbLockSchemaSql({ database: 'better-sqlite3' }).split(';\n'))
      if (statement.trim()) await dataSource.query(statement);
    expect(await differences(dataSource)).toEqual([]);
    await dataSource.destroy();
    await start();
    await (await app!.get(LockClient).acquire('job')).release();
  });

  it('read as entities like those of every database', async () => {
    await start({}, { createTables: true });
    const lease = await app!.get(LockClient).acquire('job', { metadata: { team: 'ops' } });
    const source = app!.get<DataSource>(getDataSourceToken());
    const [lock] = await source.getRepository(Lock).find();
    expect(lock).toEqual({
      lockName: 'job',
      workerName: lease.workerName,
      fencingToken: String(lease.fencingToken),
      lockTime: lease.lockTime,
      expireTime: lease.expireTime,
      metadata: { team: 'ops' },
    });
    await expect(source.getRepository(Lock).countBy({ lockName: 'JOB' })).resolves.toBe(0);
    await app!.get(LockServer).desk.forceRelease({ lockName: 'job', actor: 'ann', reason: 'it hung' });
    await expect(
      source.getRepository(LockHistory).findOneByOrFail({ event: 'forced' }),
    ).resolves.toMatchObject({
      id: expect.any(String),
      fencingToken: String(lease.fencingToken),
      eventTime: expect.any(Date),
    });
  });

  it('are in an entity of the application, with columns of its own', async () => {
    await start({}, { entity: JobLock, createTables: true });
    const lease = await app!.get(LockClient).acquire('job');
    const source = app!.get<DataSource>(getDataSourceToken());
    await source.getRepository(JobLock).update({ lockName: 'job' }, { team: 'ops' });
    await lease.renew();
    expect(await source.getRepository(JobLock).findOneByOrFail({ lockName: 'job' })).toMatchObject({
      team: 'ops',
      workerName: lease.workerName,
    });
  });

  it('are in a file that the library opens by itself', async () => {
    await using locks = await createLockClient({
      database: { type: 'better-sqlite3', driver: libsql, database },
      createTables: true,
    });
    await using lease = await locks.acquire('script');
    expect(await locks.inspect('script')).toMatchObject({ fencingToken: lease.fencingToken });
    const dataSource = await open({ entities: dbLockEntities() });
    expect(await dataSource.getRepository(Lock).countBy({ lockName: 'script' })).toBe(1);
    await dataSource.destroy();
  });

  it('are not in a table that does not keep them apart, or that no grant can fill', async () => {
    const dataSource = await open();
    const [create] = dbLockSchemaSql({ database: 'better-sqlite3' }).split(';\n');
    const make = async (...changes: Array<[string, string]>) => {
      await dataSource.query('DROP TABLE IF EXISTS dblock_lock');
      await dataSource.query(changes.reduce((sql, [from, to]) => sql.replace(from, to), create!));
    };
    await dataSource.runMigrations();
    await make(['"lock_name" text', '"lock_name" text COLLATE NOCASE']);
    await expect(start()).rejects.toThrow('must compare byte by byte: COLLATE BINARY');
    await make([',\n  PRIMARY KEY ("lock_name")', ''], [' STRICT, WITHOUT ROWID', ' STRICT']);
    await expect(start()).rejects.toThrow('no primary key on lock_name alone');
    await make(['"metadata" text', '"metadatum" text']);
    await expect(start()).rejects.toThrow('lacks the columns metadata');
    await make(['"metadata" text', '"metadata" text, "team" text NOT NULL']);
    await expect(start()).rejects.toThrow('the column team of "dblock_lock" must be nullable');
    await dataSource.destroy();
  });

  it.each([':memory:', ''])('are not in memory (%j)', async (memory) => {
    await expect(start({ database: memory, synchronize: true })).rejects.toThrow('MemoryLockStore');
  });

  it('outlive a transaction of the application that is rolled back, and one that holds the file up', async () => {
    await start({}, { createTables: true });
    const source = app!.get<DataSource>(getDataSourceToken());
    const locks = app!.get(LockClient);
    await source.query('CREATE TABLE work (done integer)');
    const runner = source.createQueryRunner();
    await runner.startTransaction();
    const lease = await locks.acquire('before the work');
    await runner.query('INSERT INTO work VALUES (1)');
    const waiting = locks.acquire('while the file is locked');
    await runner.rollbackTransaction();
    await (await waiting).release();
    expect(await locks.inspect('before the work')).toMatchObject({ state: 'held' });
    expect(await source.query('SELECT * FROM work')).toEqual([]);
    await lease.release();
  });

  it('cannot be had while somebody keeps the file locked, which is no busy lock', async () => {
    await start({}, { createTables: true, statementTimeout: '100ms' });
    const other = await open({ entities: [], migrations: [] });
    await other.query('BEGIN IMMEDIATE');
    const locks = app!.get(LockClient);
    await expect(locks.tryAcquire('job', { ttl: '1s' })).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringContaining(`kept ${database} locked`),
    });
    await other.query('ROLLBACK');
    await other.destroy();
    await (await locks.acquire('job')).release();
  });

  it('come back by themselves when the file was damaged and is whole again', async () => {
    await start({}, { createTables: true });
    const locks = app!.get(LockClient);
    const source = app!.get<DataSource>(getDataSourceToken());
    await (await locks.acquire('job')).release();
    await source.query('ALTER TABLE dblock_lock RENAME TO elsewhere');
    await expect(locks.tryAcquire('job', { ttl: '1s' })).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    await source.query('ALTER TABLE elsewhere RENAME TO dblock_lock');
    await (await locks.acquire('job')).release();
  });

  it('are spared what the application tells its own connections', async () => {
    const prepareDatabase = (connection: {
      pragma(text: string): unknown;
      defaultSafeIntegers(on: boolean): unknown;
    }) => {
      connection.pragma('busy_timeout = 60000');
      connection.defaultSafeIntegers(true);
    };
    await start({ prepareDatabase, enableWAL: true }, { createTables: true, statementTimeout: '100ms' });
    const other = await open({ entities: [], migrations: [] });
    await other.query('BEGIN IMMEDIATE');
    await expect(app!.get(LockClient).tryAcquire('job', { ttl: '1s' })).rejects.toThrow('locked');
    await other.query('ROLLBACK');
    await other.destroy();
    const lease = await app!.get(LockClient).acquire('job');
    expect(lease.fencingToken).toEqual(expect.any(Number));
    await lease.renew();
  });

  it('of others are none the worse for metadata that are no JSON', async () => {
    await start({}, { createTables: true });
    const source = app!.get<DataSource>(getDataSourceToken());
    const locks = app!.get(LockClient);
    await locks.acquire('spoilt');
    await source.query(`UPDATE dblock_lock SET metadata = 'no JSON' WHERE lock_name = 'spoilt'`);
    const answers = await Promise.allSettled(['one', 'spoilt', 'two'].map((name) => locks.tryAcquire(name)));
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });

  it('leave a DataSource of a kind that holds none alone', async () => {
    @Entity('note')
    class Note {
      @Column({ type: 'integer', primary: true })
      id!: number;
    }
    const foreign = await open({ entities: [Note], migrations: [] });
    Object.assign(foreign.options, { type: 'mssql' });
    const { buildMetadatas } = foreign as unknown as { buildMetadatas(): Promise<void> };
    await buildMetadatas.call(foreign);
    expect(foreign.entityMetadatas.map(({ tableName }) => tableName)).toEqual(['note']);
    await foreign.destroy();
  });

  it('are refused once the application is closed', async () => {
    await start({}, { createTables: true });
    const { store } = app!.get(LockServer);
    await app!.close();
    app = undefined;
    await expect(store.ping()).rejects.toThrow('is closed');
    await store.close();
  });

  it('refuse a file that is no database', async () => {
    await writeFile(database, 'Dear Sir or Madam, this is no database. '.repeat(100));
    await expect(start({}, { createTables: true })).rejects.toThrow('not a database');
  });

  it('are no matter of a database of another kind, which names those that can hold them', async () => {
    const other = new DataSource({
      type: 'sqljs',
      entities: dbLockEntities(),
      driver: {},
    } as DataSourceOptions);
    await expect(other.initialize()).rejects.toThrow();
    const { databaseOf } = await import('../../libs/db-lock/src/store/databases.js');
    expect(() => databaseOf(other)).toThrow(
      /type "sqljs" can't hold locks; these types can: "postgres" \(PostgreSQL\), .*"better-sqlite3" \(SQLite\)/,
    );
  });
});
