import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { TypeOrmModule, type TypeOrmModuleOptions } from '@nestjs/typeorm';
import {
  createLockClient,
  dbLockEntities,
  dbLockMigrations,
  DbLockModule,
  dbLockSchemaSql,
  Lock,
  LockBase,
  LockClient,
  type DbLockModuleOptions,
  type LockDatabase,
} from 'nestjs-db-lock';
import { Column, DataSource, Entity, MoreThan, type DataSourceOptions } from 'typeorm';
import {
  createMariadbDatabase,
  describeWithMariadb,
  queryMariadb,
  sharedMariadb,
  startMariadb,
  type MariadbDatabase,
} from '../support/mariadb-server.js';
import { MemoryLogger } from '../support/memory-logger.js';
import { until } from '../support/patience.js';
import { differences } from './differences.js';

@Entity('tenant_lock')
class TenantLock extends LockBase {
  @Column({ name: 'tenant', type: 'varchar', length: 20, nullable: true })
  tenant!: string | null;
}

/** Applications that share a database; the last one needs every character that a name may have. */
const PREFIXES = ['', 'shop_', `${'x'.repeat(46)}_`];

describeWithMariadb('The tables of MySQL and MariaDB', () => {
  const opened: DataSource[] = [];
  let database: MariadbDatabase;

  beforeEach(async () => {
    database = await createMariadbDatabase();
  });

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((dataSource) => dataSource.destroy()));
    await database.drop();
  });

  const query = <Row extends object>(sql: string) => queryMariadb<Row>(database.url, sql);

  async function open(options: object = {}): Promise<DataSource> {
    const dataSource = new DataSource({
      type: 'mariadb',
      url: database.url,
      entities: dbLockEntities(),
      migrations: dbLockMigrations(),
      ...options,
    } as DataSourceOptions);
    opened.push(dataSource);
    return dataSource.initialize();
  }

  /** Starts an application, takes a lock in it, and ends it. */
  async function start(
    options: DbLockModuleOptions | DbLockModuleOptions[] = {},
    dataSource: object = {},
    logger = new MemoryLogger(),
  ): Promise<void> {
    const module = await Test.createTestingModule({
      imports: [
        TypeOrmModule.forRoot({
          type: 'mariadb',
          url: database.url,
          autoLoadEntities: true,
          retryAttempts: 0,
          ...dataSource,
        } as TypeOrmModuleOptions),
        ...[options].flat().map((feature) => DbLockModule.forRoot({ public: true, ...feature })),
      ],
    })
      .setLogger(logger)
      .compile();
    await module.init();
    try {
      await (await module.get(LockClient).acquire('job', { wait: '60s' })).release();
    } finally {
      await module.close();
    }
  }

  it.each([
    ['createTables', {}, { createTables: true }],
    ['synchronize', { synchronize: true, autoLoadEntities: false, entities: dbLockEntities() }, {}],
  ])('are made by %s, as the entities say, for each prefix', async (_, dataSource, options) => {
    for (const entityPrefix of PREFIXES) await start(options, { ...dataSource, entityPrefix });
    for (const entityPrefix of PREFIXES) {
      const prefixed = await open({ entityPrefix });
      expect(await differences(prefixed)).toEqual([]);
      const indexes = await prefixed.query<Array<{ Key_name: string }>>(
        `SHOW INDEX FROM ${entityPrefix}dblock_history WHERE Column_name = 'event_time'`,
      );
      expect(indexes).toHaveLength(1);
    }
  });

  it('are made by migrations, whose later ones have nothing to do, and removed by them', async () => {
    const features = { entities: [...dbLockEntities(), ...dbLockEntities('billing_eu')] };
    const migrations = [...dbLockMigrations(), ...dbLockMigrations({ feature: 'billing_eu' })];
    const dataSource = await open({ ...features, migrations });
    const run = await dataSource.runMigrations();
    expect(run).toHaveLength(8);
    expect(await differences(dataSource)).toEqual([]);
    await start([{}, { feature: 'billing_eu' }]);
    for (const _ of run) await dataSource.undoLastMigration();
    const tables = await query<{ name: string }>(
      'SELECT TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()',
    );
    expect(tables.map(({ name }) => name)).toEqual(['migrations']);
    await expect(start()).rejects.toThrow(
      'The table "dblock_lock" does not exist. Run the migrations CreateDblockLock1763900000000, ',
    );
    await expect(start()).rejects.toThrow('"npx db-lock-sql --feature dblock --database mariadb"');
  });

  it('print as SQL that a DBA can run, into another database, too', async () => {
    const other = await createMariadbDatabase();
    const schema = new URL(other.url).pathname.slice(1);
    for (const statement of dbLockSchemaSql({ database: 'mariadb', schema }).split(';\n'))
      if (statement.trim()) await query(statement);
    const dataSource = await open({ url: other.url });
    expect(await differences(dataSource)).toEqual([]);
    await start({}, { url: other.url });
    await other.drop();
    expect(dbLockSchemaSql({ database: 'mysql' })).toContain('COLLATE utf8mb4_0900_bin');
    expect(dbLockSchemaSql({ database: 'mysql' })).not.toContain('nopad');
    expect(dbLockSchemaSql({ database: 'mariadb' })).toContain('COLLATE utf8mb4_nopad_bin');
  });

  it('of two processes that make them at once are made once', async () => {
    await Promise.all([1, 2, 3].map(() => start({ createTables: true })));
  });

  it('suit the server that is really there, not the type of the DataSource', async () => {
    await start({ createTables: true }, { type: 'mysql' });
    await start();
    const [column] = await query<{ collation: string }>(
      `SELECT COLLATION_NAME AS collation FROM information_schema.COLUMNS
      WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'dblock_lock' AND COLUMN_NAME = 'lock_name'`,
    );
    expect(column).toEqual({ collation: 'utf8mb4_nopad_bin' });
  });

  it('may have columns of an application', async () => {
    await start({ createTables: true, entity: TenantLock });
    const dataSource = await open({ entities: [TenantLock, ...dbLockEntities().slice(1)] });
    expect(await differences(dataSource)).toEqual([]);
    await dataSource.query('DELETE FROM tenant_lock');
    await dataSource.query("ALTER TABLE tenant_lock MODIFY tenant varchar(20) NOT NULL DEFAULT 'x'");
    await start({ entity: TenantLock });
    await dataSource.query('ALTER TABLE tenant_lock MODIFY tenant varchar(20) NOT NULL');
    await expect(start({ entity: TenantLock })).rejects.toThrow(
      'the column tenant of "tenant_lock" must be nullable or have a default',
    );
  });

  it('read as entities as from every database', async () => {
    const client = await createLockClient({
      database: { type: 'mariadb', url: database.url },
      createTables: true,
    });
    const lease = await client.acquire('read', { metadata: { why: '“näin”' } });
    const locks = (await open()).getRepository(Lock);
    const [lock] = await locks.find({
      where: { lockTime: MoreThan(new Date(lease.lockTime.getTime() - 1)) },
    });
    expect(lock).toEqual({
      lockName: 'read',
      workerName: lease.workerName,
      fencingToken: String(lease.fencingToken),
      lockTime: lease.lockTime,
      expireTime: lease.expireTime,
      metadata: { why: '“näin”' },
    });
    expect(await locks.countBy({ expireTime: MoreThan(new Date(Date.now() + 3_600_000)) })).toBe(0);
    await client.close();
  });

  it.each([
    ['lacks a column', 'DROP COLUMN metadata', 'lacks the columns metadata'],
    ['lacks what marks a writing', 'DROP COLUMN row_version', 'lacks the columns row_version'],
    [
      'has no key on the name alone',
      'DROP PRIMARY KEY, ADD PRIMARY KEY (lock_name, token)',
      'no primary key on lock_name',
    ],
    [
      'takes names with trailing spaces for the same',
      'MODIFY lock_name varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL',
      'must compare byte by byte: COLLATE utf8mb4_nopad_bin',
    ],
    ['locks no rows', 'ENGINE = Aria', 'it is a table of Aria, which locks no rows'],
    [
      'wants what no grant fills',
      'ADD COLUMN owner int NOT NULL',
      'the column owner of "dblock_lock" must be nullable',
    ],
  ])('are refused at the start where the one of the locks %s', async (_, change, message) => {
    await start({ createTables: true });
    await query(`ALTER TABLE dblock_lock ${change}`);
    await expect(start()).rejects.toThrow(message);
  });

  it('have names that MySQL takes', async () => {
    const entityPrefix = 'x'.repeat(48);
    await expect(start({ createTables: true }, { entityPrefix })).rejects.toThrow(
      `the table name "${entityPrefix}dblock_statistics" has 65 characters, MySQL takes 64`,
    );
  });

  it('on a server that may lose grants come with a warning', async () => {
    const server = await sharedMariadb();
    const logger = new MemoryLogger();
    await server.query('SET GLOBAL innodb_flush_log_at_trx_commit = 2');
    try {
      await start({ createTables: true }, {}, logger);
    } finally {
      await server.query('SET GLOBAL innodb_flush_log_at_trx_commit = 1');
    }
    expect(logger.warnings).toEqual([
      'The server may lose grants when its machine crashes: innodb_flush_log_at_trx_commit is 2, not 1. Then a lock may be granted twice.',
    ]);
    await start({}, {}, logger);
    expect(logger.warnings).toHaveLength(1);
  });

  it('on a server whose clock stands still within a statement are refused', async () => {
    const server = await startMariadb({ 'sysdate-is-now': '1' });
    const { url } = await server.createDatabase();
    await expect(start({ createTables: true }, { url })).rejects.toThrow('started with --sysdate-is-now');
    await server.stop();
  });

  it('know no pooler that gives each transaction another session', async () => {
    await expect(start({ createTables: true, pooler: 'transaction' })).rejects.toThrow(
      'pooler: is for PostgreSQL',
    );
  });
});

describeWithMariadb('A MySQL or MariaDB of which the application has no DataSource', () => {
  let database: MariadbDatabase;

  beforeEach(async () => {
    database = await createMariadbDatabase();
  });

  afterEach(() => database.drop());

  const sessions = async () => {
    const [row] = await queryMariadb<{ count: number }>(
      database.url,
      'SELECT COUNT(*) AS count FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND ID <> CONNECTION_ID()',
    );
    return Number(row!.count);
  };

  it.each(['mysql', 'mariadb'] as const)('keeps the locks of a script: %s', async (type) => {
    const { hostname, port, pathname } = new URL(database.url);
    const url = database.url.replace('mariadb:', `${type}:`);
    await using client = await createLockClient({ database: { type, url }, createTables: true });
    await using other = await createLockClient({
      database: {
        type,
        host: hostname,
        port: Number(port),
        username: 'root',
        database: pathname.slice(1),
        ssl: false,
      },
    });
    const lease = await client.acquire('job');
    expect(await other.tryAcquire('job')).toBeNull();
    await lease.release();
    await (await other.acquire('job')).release();
  });

  it('keeps the locks of an application, and is closed with it', async () => {
    const module = await Test.createTestingModule({
      imports: [
        DbLockModule.forRoot({
          database: { type: 'mariadb', url: database.url, entityPrefix: 'shop_' },
          createTables: true,
          public: true,
        }),
      ],
    }).compile();
    await module.init();
    await module.get(LockClient).acquire('job');
    expect(await queryMariadb(database.url, 'SELECT lock_name FROM shop_dblock_lock')).toEqual([
      { lock_name: 'job' },
    ]);
    await module.close();
    await until('its sessions have ended', 10_000, async () => (await sessions()) === 0);
  });

  it('is not reached with a wrong password, and says so', async () => {
    await using server = await startedWithPassword();
    await expect(createLockClient({ database: { type: 'mysql', url: server.url } })).rejects.toThrow(
      'Access denied for user',
    );
  });

  it.each<[object, string]>([
    [{ type: 'mysql', url: 'localhost/shop' }, 'database.url: must be an address such as mysql://'],
    [
      { type: 'mysql', url: 'postgres://localhost/shop' },
      'database.url: must be an address such as mysql://',
    ],
    [{ type: 'mariadb', url: undefined }, 'database.url: is undefined: is the variable set'],
    [{ type: 'mariadb', url: 'mariadb://localhost' }, 'database.url: must name the database'],
    [{ type: 'mysql', host: 'localhost' }, 'database.database: must name the database'],
    [{ type: 'mysql', url: 'mysql://localhost/shop', port: 3306 }, 'database.port: is part of the url'],
    [
      { type: 'mysql', url: 'mysql://localhost/shop?ssl=true' },
      'database.url: must end with the name of the database: say beside it what its query says',
    ],
    [{ type: 'mysql', database: 'shop', password: () => 'x' }, 'database.password: must be a string'],
    [{ type: 'mysql', database: 'shop', schema: 'a' }, 'database.schema: is not a known field'],
    [{ type: 'mysql', database: 'shop', ssl: 'yes' }, 'database.ssl: must be true, false or the options'],
  ])('is refused when it can be none: %j', (place, message) => {
    expect(() => DbLockModule.forRoot({ database: place as LockDatabase })).toThrow(message);
  });
});

/** A user who needs a password, and an address without it. */
async function startedWithPassword(): Promise<AsyncDisposable & { url: string }> {
  const server = await sharedMariadb();
  await server.query(`CREATE USER secretive@'127.0.0.1' IDENTIFIED BY 'secret'`);
  return {
    url: `${server.url.replace('root@', 'secretive:wrong@').replace('mariadb:', 'mysql:')}/test`,
    async [Symbol.asyncDispose]() {
      await server.query(`DROP USER secretive@'127.0.0.1'`);
    },
  };
}
