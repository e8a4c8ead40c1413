import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  Global,
  Injectable,
  Module,
  type CanActivate,
  type DynamicModule,
  type INestApplication,
} from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import { getRepositoryToken, TypeOrmModule } from '@nestjs/typeorm';
import {
  DbLockModule,
  DjangoDbLockClient,
  getLockClientToken,
  getLockServerToken,
  InjectLockClient,
  Lock,
  LockBase,
  LockClient,
  LockServer,
  type DbLockModuleOptions,
  type DbLockOptions,
  type DbLockOptionsFactory,
} from 'nestjs-db-lock';
import { Column, Entity, type Repository } from 'typeorm';
import { listen } from '../support/lock-application.js';
import { MemoryLogger } from '../support/memory-logger.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

@Entity({ name: 'customs_locks' })
class CustomsLock extends LockBase {
  @Column({ type: 'text', nullable: true })
  remark!: string | null;
}

@Entity({ name: 'strict_locks' })
class StrictLock extends LockBase {
  @Column({ type: 'text' })
  remark!: string;
}

describe('DbLockModule', () => {
  let database: TestDatabase;
  let app: INestApplication | undefined;

  beforeAll(async () => {
    database = await createTestDatabase();
  });

  afterEach(async () => {
    await app?.close();
    app = undefined;
  });

  afterAll(() => database.drop());

  const typeOrm = () =>
    TypeOrmModule.forRoot({ type: 'postgres', url: database.url, autoLoadEntities: true });

  async function start(
    imports: Array<DynamicModule | (new () => object)>,
    providers: Array<new (...args: never[]) => object> = [],
  ) {
    const module = await Test.createTestingModule({ imports, providers }).compile();
    app = module.createNestApplication(new ExpressAdapter(), { logger: new MemoryLogger() });
    await app.init();
    return app;
  }

  const withFeatures = (...features: DbLockModuleOptions[]) =>
    start([
      typeOrm(),
      ...features.map((feature) => DbLockModule.forRoot({ createTables: true, ...feature })),
    ]);

  const status = async (origin: string, path: string) => (await fetch(origin + path)).status;

  it('needs no options: table dblock_lock, routes under /dblock, LockClient and LockServer to inject', async () => {
    await withFeatures({});
    const lease = await app!.get(LockClient).acquire('default');
    expect((await app!.get(LockServer).inspect('default'))?.state).toBe('held');
    const repository = app!.get<Repository<Lock>>(getRepositoryToken(Lock), { strict: false });
    const row = await repository.findOneByOrFail({ lockName: 'default' });
    expect(row).toMatchObject({ lockName: 'default', fencingToken: String(lease.fencingToken) });
    expect(row).not.toHaveProperty('grantId');
    const origin = await listen(app!);
    expect(await status(origin, '/dblock/locks/default')).toBe(200);
    expect(await status(origin, '/dblock/getLockInfo?lockName=default')).toBe(200);
    expect(await status(origin, '/dblock/admin/api/counts')).toBe(200);
  });

  it.each([
    [true, true],
    [true, false],
    [false, true],
    [false, false],
  ])('with the model serves what the flags say: services %s, admin %s', async (services, admin) => {
    await withFeatures({ autoRegisterModel: true, autoRegisterServices: services, autoRegisterAdmin: admin });
    await (await app!.get(LockClient).acquire('flags')).release();
    const origin = await listen(app!);
    for (const path of ['/dblock/locks/flags', '/dblock/getLockInfo?lockName=flags'])
      expect(await status(origin, path)).toBe(services ? 200 : 404);
    expect(await status(origin, '/dblock/admin/api/counts')).toBe(admin ? 200 : 404);
  });

  it('without the model talks to a remote server, and needs no database', async () => {
    const server = await withFeatures({});
    const apiServer = `${await listen(server)}/dblock`;
    const module = await Test.createTestingModule({
      imports: [DbLockModule.forRoot({ autoRegisterModel: false, apiServer, workerName: 'remote' })],
    }).compile();
    await module.init();
    await module.get(LockClient).withLock('remote', async (lease) => {
      expect(lease.workerName).toBe('remote');
      expect((await server.get(LockServer).inspect('remote'))?.workerName).toBe('remote');
    });
    expect(() => module.get(LockServer)).toThrow();
    await module.close();
  });

  it("speaks django-db-lock's contract to a remote server when told to", async () => {
    const server = await withFeatures({});
    const module = await Test.createTestingModule({
      imports: [
        DbLockModule.forRoot({
          autoRegisterModel: false,
          apiServer: `${await listen(server)}/dblock/`,
          protocol: 'django-db-lock',
        }),
      ],
    }).compile();
    await module.init();
    const lease = await module.get(DjangoDbLockClient).acquire('legacy', { ttl: '5s' });
    expect((await server.get(LockServer).inspect('legacy'))?.workerName).toBe(lease.workerName);
    expect(await module.get(DjangoDbLockClient).tryAcquire('legacy')).toBeNull();
    await lease.release();
    expect((await server.get(LockServer).inspect('legacy'))?.state).toBe('released');
    expect(() => module.get(LockClient)).toThrow();
    await module.close();
  });

  it('holds several features apart: tables, routes and tokens', async () => {
    @Injectable()
    class Bookkeeper {
      constructor(
        @InjectLockClient('billing') readonly billing: LockClient,
        @InjectLockClient() readonly standard: LockClient,
      ) {}
    }
    await start(
      [
        typeOrm(),
        DbLockModule.forRoot({ createTables: true }),
        DbLockModule.forRoot({ feature: 'billing', path: '/internal/billing-locks/', createTables: true }),
      ],
      [Bookkeeper],
    );
    const { billing, standard } = app!.get(Bookkeeper);
    expect(billing).toBe(app!.get(getLockClientToken('billing')));
    expect(standard).toBe(app!.get(LockClient));
    await billing.acquire('apart', { workerName: 'of billing' });
    await standard.acquire('apart', { workerName: 'of dblock' });
    const origin = await listen(app!);
    const holder = async (path: string) =>
      ((await (await fetch(origin + path)).json()) as LockBase).workerName;
    expect(await holder('/dblock/locks/apart')).toBe('of dblock');
    expect(await holder('/internal/billing-locks/locks/apart')).toBe('of billing');
    expect(app!.get<LockServer>(getLockServerToken('billing'))).not.toBe(app!.get(LockServer));
  });

  it('keeps locks in a custom entity that extends LockBase', async () => {
    await withFeatures({ feature: 'customs', entity: CustomsLock });
    await app!.get<LockClient>(getLockClientToken('customs')).acquire('crate');
    const repository = app!.get<Repository<CustomsLock>>(getRepositoryToken(CustomsLock), { strict: false });
    expect(await repository.findOneByOrFail({ lockName: 'crate' })).toMatchObject({
      lockName: 'crate',
      remark: null,
    });
    const [table] = (await repository.query(
      `SELECT reloptions FROM pg_class WHERE oid = 'customs_locks'::regclass`,
    )) as Array<{ reloptions: string[] }>;
    expect(table!.reloptions).toEqual(['fillfactor=50']);
  });

  it('refuses a custom entity with a column that no grant would fill', async () => {
    await expect(withFeatures({ feature: 'strict', entity: StrictLock })).rejects.toMatchObject({
      option: 'entity',
    });
  });

  it('uses the DataSource that it is told', async () => {
    const second = await createTestDatabase();
    await start([
      typeOrm(),
      TypeOrmModule.forRoot({ name: 'second', type: 'postgres', url: second.url, autoLoadEntities: true }),
      DbLockModule.forRoot({ feature: 'elsewhere', dataSource: 'second', createTables: true }),
    ]);
    await app!.get<LockClient>(getLockClientToken('elsewhere')).acquire('there');
    const repository = app!.get<Repository<LockBase>>(
      getRepositoryToken((await import('nestjs-db-lock')).dbLockEntities('elsewhere')[0]!, 'second'),
      { strict: false },
    );
    expect(await repository.countBy({ lockName: 'there' })).toBe(1);
    await app!.close();
    app = undefined;
    await second.drop();
  });

  it('injects everywhere with isGlobal, and only where it is imported without', async () => {
    @Injectable()
    class Deep {
      constructor(readonly locks: LockClient) {}
    }
    @Module({ providers: [Deep], exports: [Deep] })
    class DeepModule {}
    await start([typeOrm(), DbLockModule.forRoot({ createTables: true, isGlobal: true }), DeepModule]);
    expect(app!.get(Deep, { strict: false }).locks).toBe(app!.get(LockClient, { strict: false }));
    await app!.close();
    app = undefined;
    await expect(
      start([typeOrm(), DbLockModule.forRoot({ createTables: true }), DeepModule]),
    ).rejects.toThrow(/LockClient/);
  });

  describe('forRootAsync', () => {
    const options: DbLockOptions = { createTables: true, ttl: '7s', workerName: 'async' };

    @Injectable()
    class Settings implements DbLockOptionsFactory {
      createDbLockOptions = () => options;
    }
    @Global()
    @Module({ providers: [Settings], exports: [Settings] })
    class SettingsModule {}

    it.each([
      [
        'useFactory',
        { useFactory: async (settings: Settings) => settings.createDbLockOptions(), inject: [Settings] },
      ],
      ['useClass', { useClass: Settings }],
      ['useExisting', { useExisting: Settings }],
    ])('takes %s', async (_, source) => {
      await start([typeOrm(), SettingsModule, DbLockModule.forRootAsync({ feature: 'later', ...source })]);
      const lease = await app!.get<LockClient>(getLockClientToken('later')).acquire('async');
      expect(lease.workerName).toBe('async');
      expect(lease.timeLeft).toBeLessThanOrEqual(7000);
      await lease.release();
    });

    it('makes a remote client from late options', async () => {
      const server = await withFeatures({});
      const apiServer = `${await listen(server)}/dblock`;
      const module = await Test.createTestingModule({
        imports: [DbLockModule.forRootAsync({ autoRegisterModel: false, useFactory: () => ({ apiServer }) })],
      }).compile();
      await module.init();
      expect(await module.get(LockClient).inspect('unknown')).toBeNull();
      await module.close();
    });
  });

  it('gives guards the modules that they need', async () => {
    @Injectable()
    class Badge {
      readonly good = true;
    }
    @Module({ providers: [Badge], exports: [Badge] })
    class BadgeModule {}
    @Injectable()
    class BadgeGuard implements CanActivate {
      constructor(private readonly badge: Badge) {}
      canActivate = () => this.badge.good;
    }
    await withFeatures({ guards: [BadgeGuard], imports: [BadgeModule] });
    expect(await status(await listen(app!), '/dblock/locks')).toBe(200);
  });
});
