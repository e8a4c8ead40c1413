import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Get, type CanActivate } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { TypeOrmModule } from '@nestjs/typeorm';
import {
  DbLockConfigurationError,
  dbLockEntities,
  DbLockModule,
  Lock,
  LockClient,
  LockTableMissingError,
  type DbLockModuleAsyncOptions,
  type DbLockModuleOptions,
} from 'nestjs-db-lock';
import { MemoryLogger } from '../support/memory-logger.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

class OpenGuard implements CanActivate {
  canActivate = () => true;
}

describe('misuse is a start-up error that names the option', () => {
  let database: TestDatabase;
  const environment = process.env['NODE_ENV'];

  beforeAll(async () => {
    database = await createTestDatabase();
  });

  afterEach(() => {
    process.env['NODE_ENV'] = environment;
  });

  afterAll(() => database.drop());

  const typeOrm = (options: object = { autoLoadEntities: true }) =>
    TypeOrmModule.forRoot({ type: 'postgres', url: database.url, ...options });

  /** Starts an application and stops it again. */
  async function start(
    features: DbLockModuleOptions[],
    {
      adapter = new ExpressAdapter() as ExpressAdapter | FastifyAdapter,
      typeOrmOptions = undefined as object | undefined,
      controllers = [] as Array<new () => object>,
    } = {},
  ): Promise<MemoryLogger> {
    const module = await Test.createTestingModule({
      imports: [
        ...(features.every(({ autoRegisterModel }) => autoRegisterModel === false)
          ? []
          : [typeOrm(typeOrmOptions)]),
        ...features.map((feature) => DbLockModule.forRoot(feature)),
      ],
      controllers,
    }).compile();
    const logger = new MemoryLogger();
    const app = module.createNestApplication(adapter, { logger });
    await app.init().finally(() => app.close());
    return logger;
  }

  const refused = async (option: string, ...features: DbLockModuleOptions[]) => {
    const failure = await (async () => start(features))().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(DbLockConfigurationError);
    expect((failure as DbLockConfigurationError).option).toBe(option);
    expect((failure as Error).message).toContain(option);
  };

  const create = { createTables: true };
  const remote = { autoRegisterModel: false, apiServer: 'http://127.0.0.1:9/dblock' };

  it.each<[string, DbLockModuleOptions]>([
    ['autoRegisterAdmin', { ...remote, autoRegisterAdmin: true }],
    ['autoRegisterServices', { ...remote, autoRegisterServices: true }],
    [
      'autoRegisterServices',
      { ...remote, autoRegisterServices: 'yes' as unknown as boolean, autoRegisterAdmin: false },
    ],
    ['apiServer', { ...create, apiServer: 'http://127.0.0.1:9' }],
    ['apiToken', { ...create, apiToken: 'secret' }],
    ['apiServer', { autoRegisterModel: false }],
    ['apiServer', { autoRegisterModel: false, apiServer: 'locks.example.com' }],
    ['apiServer', { autoRegisterModel: false, apiServer: 'ftp://locks.example.com' }],
    ['createTables', { ...remote, createTables: true }],
    ['retention', { ...remote, retention: '7d' }],
    ['acquireLockPath', { ...remote, acquireLockPath: 'lock' }],
    ['protocol', { ...create, protocol: 'django-db-lock' }],
    ['protocol', { ...remote, protocol: 'soap' as 'rest' }],
    ['resolveAccess', { ...create, resolveAccess: 'edit' as never }],
    ['resolveActor', { ...create, resolveActor: 'eve' as never }],
    ['entity', { ...remote, entity: Lock }],
    ['entity', { ...create, entity: OpenGuard as never }],
    ['feature', { feature: 'Billing' }],
    ['feature', { feature: 'a-b' }],
    ['feature', { feature: '' }],
    ['feature', { feature: 'x'.repeat(41) }],
    ['path', { path: '/' }],
    ['path', { path: 'a/:id' }],
    ['path', { path: '*' }],
    ['path', { path: '../x' }],
    ['ttl', { ...create, ttl: 0 }],
    ['ttl', { ...create, ttl: '31d' }],
    ['workerName', { ...create, workerName: '' }],
    ['retention', { ...create, retention: '1s' }],
    ['retries', { ...create, retries: -1 }],
    ['statementTimeout', { ...create, statementTimeout: '1h' }],
    ['speed', { ...create, speed: 9 } as DbLockModuleOptions],
  ])('%s in %j', async (option, options) => {
    await refused(option, options);
  });

  it('two features of one name', () => refused('feature', create, { ...create, path: 'elsewhere' }));

  it('two features over one entity', () =>
    refused('entity', create, { ...create, feature: 'second', entity: Lock }));

  it.each([
    ['dblock', 'dblock'],
    ['a', 'a/locks'],
    ['a', 'a/admin/b'],
    ['a/locks/b', 'a'],
    ['a', 'a/acquireLock'],
  ])('two features on colliding paths, %s and %s', (one, other) =>
    refused('path', { ...create, feature: 'one', path: one }, { ...create, feature: 'two', path: other }),
  );

  it('but not two features on paths beside or below each other', async () => {
    await start([
      { ...create, feature: 'one', path: 'a' },
      { ...create, feature: 'two', path: 'a/b' },
      { ...create, feature: 'three', path: 'ab' },
    ]);
  });

  it('a controller of the application on a path of ours', async () => {
    @Controller('dblock')
    class Neighbour {
      @Get('dashboard')
      get(): string {
        return 'mine';
      }
    }
    @Controller('dblock/:rest')
    class Squatter {
      @Get(':name')
      get(): string {
        return 'mine';
      }
    }
    @Controller()
    class Intruder {
      @Get('dblock/acquireLock')
      get(): string {
        return 'mine';
      }
    }
    await start([create], { controllers: [Neighbour] });
    for (const controller of [Squatter, Intruder])
      await expect(start([create], { controllers: [controller] })).rejects.toMatchObject({ option: 'path' });
  });

  describe('forRootAsync', () => {
    it.each<[string, object]>([
      ['useFactory', {}],
      ['ttl', { ttl: '5s', useFactory: () => ({}) }],
    ])('%s', (option, options) => {
      expect(() => DbLockModule.forRootAsync(options as DbLockModuleAsyncOptions)).toThrow(
        expect.objectContaining({ option }),
      );
    });

    it('an option that must be static, from the factory', async () => {
      const module = Test.createTestingModule({
        imports: [typeOrm(), DbLockModule.forRootAsync({ useFactory: () => ({ feature: 'x' }) as object })],
      });
      await expect(module.compile()).rejects.toMatchObject({ option: 'feature' });
    });
  });

  describe('the table', () => {
    it('is never created silently: a missing one names the migration', async () => {
      const failure = await start([{ feature: 'absent' }]).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(LockTableMissingError);
      expect((failure as Error).message).toContain('"absent_lock" does not exist');
      expect((failure as Error).message).toContain('CreateAbsentLock1763900000000');
      expect((failure as Error).message).toContain('npx db-lock-sql --feature absent');
    });

    it('is created when that is asked for, by many instances at once', async () => {
      await Promise.all([1, 2, 3, 4].map(() => start([{ feature: 'together', createTables: true }])));
      await start([{ feature: 'together' }]);
    });

    it('must be known to the DataSource', async () => {
      const failure = await start([create], { typeOrmOptions: { entities: [] } }).catch(
        (error: unknown) => error,
      );
      expect(failure).toMatchObject({ option: 'dataSource' });
      expect((failure as Error).message).toContain("dbLockEntities('dblock')");
      await start([create], { typeOrmOptions: { entities: dbLockEntities() } });
    });
  });

  describe('in production', () => {
    it.each<[string, DbLockModuleOptions]>([
      ['guards', { adminGuards: [OpenGuard] }],
      ['adminGuards', { guards: [OpenGuard] }],
      ['guards', {}],
    ])('%s missing from %j', async (option, options) => {
      process.env['NODE_ENV'] = 'production';
      await refused(option, { ...create, ...options });
    });

    it.each<[string, DbLockModuleOptions]>([
      ['both guards', { guards: [OpenGuard], adminGuards: [new OpenGuard()] }],
      ['public: true', { public: true }],
      ['nothing served', { autoRegisterAdmin: false, autoRegisterServices: false }],
    ])('%s is fine', async (_, options) => {
      process.env['NODE_ENV'] = 'production';
      expect((await start([{ ...create, ...options }])).warnings).toEqual([]);
    });

    it('an application without a server needs no guard', async () => {
      process.env['NODE_ENV'] = 'production';
      const module = await Test.createTestingModule({
        imports: [typeOrm(), DbLockModule.forRoot(create)],
      }).compile();
      await module.init();
      await (await module.get(LockClient).acquire('worker')).release();
      await module.close();
    });

    it('elsewhere a missing guard is a warning', async () => {
      const { warnings } = await start([create]);
      expect(warnings.filter((warning) => warning.includes('no guard'))).toHaveLength(2);
    });
  });

  it("Fastify's limit on parameters is told with its mending", async () => {
    const open = { ...create, public: true };
    const short = await start([open], { adapter: new FastifyAdapter() });
    expect(short.warnings).toEqual([expect.stringContaining('maxParamLength: 510')]);
    const long = await start([open], {
      adapter: new FastifyAdapter({ routerOptions: { maxParamLength: 510 } }),
    });
    expect(long.warnings).toEqual([]);
  });
});
