import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Test } from '@nestjs/testing';
import {
  dbLockEntities,
  dbLockMigrations,
  DbLockModule,
  dbLockSchemaSql,
  LockBase,
  LockClient,
} from 'nestjs-db-lock';
import { DataSource, DefaultNamingStrategy, Entity, type DataSourceOptions } from 'typeorm';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { differences } from './differences.js';

@Entity('tenant_lock')
class TenantLock extends LockBase {}

/** What the history's index was called by the versions before this one. */
const FORMER_NAME = 'dblock_history_by_time';

/** Applications that share a schema; the last one needs every byte that a name may have. */
const PREFIXES = ['', 'shop_', 'bank_', `${'x'.repeat(45)}_`];

describe('the tables of applications that share a schema', () => {
  const opened: DataSource[] = [];
  let database: TestDatabase;

  beforeEach(async () => {
    database = await createTestDatabase();
  });

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((dataSource) => dataSource.destroy()));
    await database.drop();
  });

  async function start(entityPrefix: string, dataSource: object, options: object = {}): Promise<void> {
    const module = await Test.createTestingModule({
      imports: [
        TypeOrmModule.forRoot({
          type: 'postgres',
          url: database.url,
          entityPrefix,
          autoLoadEntities: true,
          retryAttempts: 0,
          ...dataSource,
        }),
        DbLockModule.forRoot(options),
      ],
    }).compile();
    await module.init();
    await (await module.get(LockClient).acquire('job')).release();
    await module.close();
  }

  async function open(options: Partial<DataSourceOptions>): Promise<DataSource> {
    const dataSource = new DataSource({
      type: 'postgres',
      url: database.url,
      entities: dbLockEntities(),
      migrations: dbLockMigrations(),
      migrationsTableName: `${options.entityPrefix ?? ''}migrations`,
      ...options,
    } as DataSourceOptions);
    opened.push(dataSource);
    return dataSource.initialize();
  }

  const indexesOf = async (dataSource: DataSource, table: string): Promise<string[]> => {
    const rows = await dataSource.query<Array<{ indexname: string }>>(
      `SELECT indexname FROM pg_indexes WHERE tablename = $1 AND indexdef LIKE '%event_time%'`,
      [table],
    );
    return rows.map(({ indexname }) => indexname);
  };

  it.each([
    ['createTables', {}, { createTables: true }],
    ['synchronize', { synchronize: true }, {}],
    ['createTables, with entities of their own', {}, { createTables: true, entity: TenantLock }],
    ['synchronize, with entities of their own', { synchronize: true }, { entity: TenantLock }],
  ])('are made by %s, each with its index', async (_, dataSource, options) => {
    for (const prefix of PREFIXES) await start(prefix, dataSource, options);
    for (const entityPrefix of PREFIXES) {
      const prefixed = await open({ entityPrefix });
      expect(await indexesOf(prefixed, `${entityPrefix}dblock_history`)).toHaveLength(1);
      if (!('entity' in options)) expect(await differences(prefixed)).toEqual([]);
    }
  });

  it('are made by migrations, which take the prefix from the DataSource', async () => {
    for (const entityPrefix of PREFIXES) {
      const dataSource = await open({ entityPrefix });
      await dataSource.runMigrations();
      expect(await differences(dataSource)).toEqual([]);
      await start(entityPrefix, {});
    }
    for (const entityPrefix of PREFIXES) {
      const dataSource = await open({ entityPrefix });
      for (const _ of dbLockMigrations()) await dataSource.undoLastMigration();
      await expect(start(entityPrefix, {})).rejects.toThrow(
        `"npx db-lock-sql --feature dblock${entityPrefix && ` --entity-prefix ${entityPrefix}`}"`,
      );
    }
  });

  it('are made by the SQL for a prefix', async () => {
    for (const entityPrefix of PREFIXES) {
      const dataSource = await open({ entityPrefix });
      await dataSource.query(dbLockSchemaSql({ entityPrefix }));
      expect(await differences(dataSource)).toEqual([]);
    }
  });

  it('have indexes as the naming strategy of the application names them', async () => {
    class Ours extends DefaultNamingStrategy {
      override indexName(table: string, columns: string[]): string {
        return `${table}_on_${columns.join('_')}`;
      }
    }
    const namingStrategy = new Ours();
    await start('', { namingStrategy }, { createTables: true });
    await start('shop_', { namingStrategy, synchronize: true });
    const dataSource = await open({ namingStrategy, entityPrefix: 'bank_' });
    await dataSource.runMigrations();
    for (const prefix of ['', 'shop_', 'bank_'])
      expect(await indexesOf(dataSource, `${prefix}dblock_history`)).toEqual([
        `${prefix}dblock_history_on_lock_name_event_time_id`,
      ]);
  });

  it('keep an index of the former name until a migration renames it, and get no second one', async () => {
    const dataSource = await open({});
    await dataSource.runMigrations();
    const [name] = await indexesOf(dataSource, 'dblock_history');
    for (let undone = 0; undone < 2; undone++) await dataSource.undoLastMigration();
    expect(await indexesOf(dataSource, 'dblock_history')).toEqual([FORMER_NAME]);
    await start('', {}, { createTables: true });
    expect(await indexesOf(dataSource, 'dblock_history')).toEqual([FORMER_NAME]);
    await start('shop_', { synchronize: true });
    const [run] = await dataSource.runMigrations();
    expect(run!.name).toBe('UpdateDblockLockTables1764100000000');
    expect(await indexesOf(dataSource, 'dblock_history')).toEqual([name]);
    expect(await differences(dataSource)).toEqual([]);
  });

  it('get an index of their own where the former name was that of another table', async () => {
    await start('shop_', { synchronize: true });
    const dataSource = await open({});
    const [theirs] = await indexesOf(dataSource, 'shop_dblock_history');
    await dataSource.query(`ALTER INDEX "${theirs}" RENAME TO ${FORMER_NAME}`);
    await dataSource.runMigrations();
    expect(await indexesOf(dataSource, 'shop_dblock_history')).toEqual([FORMER_NAME]);
    expect(await differences(dataSource)).toEqual([]);
  });

  it('have names that PostgreSQL does not cut', async () => {
    const entityPrefix = 'x'.repeat(47);
    await expect(start(entityPrefix, {}, { createTables: true })).rejects.toThrow(
      `the table name "${entityPrefix}dblock_statistics" has 64 bytes, PostgreSQL takes 63`,
    );
  });
});
