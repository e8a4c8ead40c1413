import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  Controller,
  Get,
  Inject,
  Injectable,
  Module,
  Scope,
  type INestApplication,
  type INestApplicationContext,
  type ModuleMetadata,
  type OnModuleInit,
} from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import {
  CurrentLease,
  currentLease,
  DbLockConfigurationError,
  DbLockModule,
  LockServer,
  UseLock,
  type DbLockModuleOptions,
  type UseLockOptions,
} from 'nestjs-db-lock';
import { createLockApplication, listen } from '../support/lock-application.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

/** Tells by which application's client it was locked: each has a worker name of its own. */
class Locked {
  @UseLock('same', { wait: '20s' })
  async worker() {
    return currentLease()?.workerName;
  }
}

@Injectable()
class Singleton extends Locked {}

@Injectable()
class Overriding extends Locked {
  @Inject('SOMETHING') readonly something!: string;

  override async worker() {
    return `${this.something} ${await super.worker()}`;
  }
}

@Injectable({ scope: Scope.TRANSIENT })
class Transient extends Locked {}

@Injectable({ scope: Scope.REQUEST })
class PerRequest extends Locked {}

class Plain extends Locked {}

@Injectable()
class Unregistered extends Locked {}

@Injectable()
class Eager extends Locked implements OnModuleInit {
  first?: string;

  async onModuleInit() {
    this.first = await this.worker();
  }
}

@Controller('workers')
class Workers {
  constructor(
    private readonly perRequest: PerRequest,
    private readonly transient: Transient,
  ) {}

  @Get()
  @UseLock('outer', { wait: '20s' })
  async all() {
    return [currentLease('outer')?.workerName, await this.perRequest.worker(), await this.transient.worker()];
  }
}

describe('@UseLock finds the client of the application', () => {
  let database: TestDatabase;
  const open: INestApplicationContext[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
  });

  afterEach(async () => {
    for (const app of open.splice(0).reverse()) await app.close();
  });

  afterAll(() => database.drop());

  async function start(metadata: ModuleMetadata, features: DbLockModuleOptions[] = [{}]) {
    const app = await createLockApplication({
      database: { type: 'postgres', url: database.url },
      features,
      metadata,
    });
    open.push(app);
    return app;
  }

  describe('with two applications in one process', () => {
    const metadata: ModuleMetadata = {
      providers: [
        Singleton,
        Overriding,
        Transient,
        PerRequest,
        Eager,
        { provide: 'SOMETHING', useValue: 'by' },
        { provide: 'made', useFactory: () => new Plain() },
      ],
      controllers: [Workers],
    };
    let one: INestApplication;
    let two: INestApplication;

    const startBoth = async () => {
      one = await start(metadata, [{ workerName: 'one' }]);
      two = await start(metadata, [{ workerName: 'two' }]);
    };

    const workers = async (workerOf: (app: INestApplication) => Promise<unknown>) =>
      Promise.all([workerOf(one), workerOf(two), workerOf(one)]);

    it('that made the object, whatever its scope', async () => {
      await startBoth();
      const expected = ['one', 'two', 'one'];
      expect(await workers((app) => app.get(Singleton).worker())).toEqual(expected);
      expect(await workers(async (app) => (await app.resolve(Transient)).worker())).toEqual(expected);
      expect(await workers(async (app) => (await app.resolve(PerRequest)).worker())).toEqual(expected);
      expect(await workers(async (app) => app.get<Plain>('made').worker())).toEqual(expected);
      expect(await workers(async (app) => (await app.get(ModuleRef).create(Unregistered)).worker())).toEqual(
        expected,
      );
    });

    it('also for inherited methods, and before the start is over', async () => {
      await startBoth();
      expect(await workers((app) => app.get(Overriding).worker())).toEqual(['by one', 'by two', 'by one']);
      expect([one.get(Eager).first, two.get(Eager).first]).toEqual(['one', 'two']);
    });

    it('behind a request', async () => {
      await startBoth();
      const asked = async (app: INestApplication) => (await fetch(`${await listen(app)}/workers`)).json();
      expect(await asked(one)).toEqual(['one', 'one', 'one']);
      expect(await asked(two)).toEqual(['two', 'two', 'two']);
    });

    it('and leaves no trace that others could see on the object', async () => {
      await startBoth();
      const made = one.get<Plain>('made');
      expect(Object.keys(made)).toEqual([]);
      expect({ ...made }).toStrictEqual({});
      expect(made).toEqual(two.get<Plain>('made'));
    });

    it('also through a proxy', async () => {
      await startBoth();
      expect(await new Proxy(two.get(Singleton), {}).worker()).toBe('two');
    });
  });

  it('whichever module imports DbLockModule', async () => {
    @Module({ providers: [Singleton], exports: [Singleton] })
    class Elsewhere {}
    const app = await start({ imports: [Elsewhere] }, [{ workerName: 'here' }]);
    expect(await app.get(Singleton, { strict: false }).worker()).toBe('here');
  });

  it('and the feature', async () => {
    @Injectable()
    class Clerk {
      @UseLock('clerk', { feature: 'billing' })
      async billing() {
        return currentLease()!.workerName;
      }

      @UseLock('clerk')
      async standard() {
        return [currentLease()!.workerName, await this.billing()];
      }
    }
    const app = await start({ providers: [Clerk] }, [
      { workerName: 'of dblock' },
      { feature: 'billing', path: 'billing', workerName: 'of billing' },
    ]);
    expect(await app.get(Clerk).standard()).toEqual(['of dblock', 'of billing']);
  });

  it.each([
    ['our own contract', 'rest', '/dblock', 'remote'],
    ["django-db-lock's contract", 'django-db-lock', '/dblock/', expect.stringMatching(/^remote:/)],
  ] as const)('also of a remote server, by %s', async (_, protocol, path, workerName) => {
    const server = await start({});
    const apiServer = `${await listen(server)}${path}`;
    const remote = await Test.createTestingModule({
      imports: [
        DbLockModule.forRoot({ autoRegisterModel: false, apiServer, protocol, workerName: 'remote' }),
      ],
      providers: [Singleton],
    }).compile();
    open.push(await remote.init());
    expect(await remote.get(Singleton).worker()).toEqual(workerName);
    expect((await server.get(LockServer).inspect('same'))?.state).toBe('released');
  });

  describe('or runs nothing', () => {
    const refused = async (call: Promise<unknown>, ...texts: string[]) => {
      const refusal = await call.catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(DbLockConfigurationError);
      expect(refusal).toMatchObject({ option: 'UseLock' });
      for (const text of texts) expect((refusal as Error).message).toContain(text);
    };

    it('on an object that no application has made', async () => {
      await start({ providers: [Singleton] });
      await refused(new Singleton().worker(), 'Locked.worker', 'no Nest application has made');
      await refused(new Plain().worker());
      await refused(Singleton.prototype.worker.call(undefined as never));
      await refused(Singleton.prototype.worker.call({} as Singleton));
    });

    it('in an application without DbLockModule', async () => {
      const module = await Test.createTestingModule({ providers: [Singleton] }).compile();
      open.push(await module.init());
      await refused(module.get(Singleton).worker(), 'Locked.worker', 'no feature "dblock"');
    });
  });

  describe('and tells at the start', () => {
    function clerk(key: unknown, options: object = {}) {
      @Injectable()
      class Clerk {
        @UseLock(key as string, options as UseLockOptions)
        async file(_paper?: { id: string }) {}
      }
      return Clerk;
    }

    const misuses: Array<[string, new () => object, RegExp]> = [
      ['an unknown feature', clerk('x', { feature: 'unknown' }), /Clerk\.file: .*"unknown"/],
      ['a feature that is none', clerk('x', { feature: 7 }), /Clerk\.file: .*"7"/],
      ['a broken template', clerk('paper:{0.id'), /Clerk\.file: key "paper:\{0\.id"/],
      ['a key that is too long', clerk('x'.repeat(256)), /Clerk\.file: key must be .* 255/],
      ['an empty key', clerk(''), /Clerk\.file: key must be/],
      ['a key that is none', clerk(7), /Clerk\.file: the key must be/],
      ['no key', clerk(undefined), /Clerk\.file: the key must be/],
      ['a wrong TTL', clerk('x', { ttl: '31d' }), /Clerk\.file: ttl must be/],
      ['a wrong wait', clerk('x', { wait: -1 }), /Clerk\.file: wait must be/],
      ['a minHold above the ttl', clerk('x', { minHold: '31s' }), /Clerk\.file: minHold must be/],
      ['a wrong worker name', clerk('x', { workerName: '' }), /Clerk\.file: workerName must be/],
      ['an unknown option', clerk('x', { weight: 1 }), /Clerk\.file: weight is not/],
      ['a wrong whenBusy', clerk('x', { whenBusy: 'wait' }), /Clerk\.file: whenBusy must be/],
      ['a wrong reentrant', clerk('x', { reentrant: 1 }), /Clerk\.file: reentrant must be/],
      ['a signal', clerk('x', { signal: AbortSignal.abort() }), /Clerk\.file: signal/],
      ['a grantId', clerk('x', { grantId: '00000000-0000-4000-8000-000000000000' }), /Clerk\.file: signal/],
    ];

    async function startWithoutDatabase(metadata: ModuleMetadata, options: DbLockModuleOptions = {}) {
      const remote = { autoRegisterModel: false, apiServer: 'http://127.0.0.1:1/', ...options };
      const module = await Test.createTestingModule({
        imports: [DbLockModule.forRoot(remote)],
        ...metadata,
      }).compile();
      open.push(module);
      await module.init();
    }

    it.each(misuses)('of %s', async (_, type, message) => {
      await expect(startWithoutDatabase({ providers: [type] })).rejects.toThrow(message);
      await expect(startWithoutDatabase({ controllers: [type] })).rejects.toThrow(message);
    });

    it('of options which a remote server does not know', async () => {
      await expect(
        startWithoutDatabase({ providers: [clerk('x', { minHold: '1s' })] }, { protocol: 'django-db-lock' }),
      ).rejects.toThrow(/Clerk\.file: minHold is not/);
    });

    it('of a lease that no lock gives', async () => {
      @Injectable()
      class Forgetful {
        async file(@CurrentLease() _lease?: unknown) {}
      }
      await expect(startWithoutDatabase({ providers: [Forgetful] })).rejects.toThrow(
        /CurrentLease: Forgetful\.file/,
      );
    });

    it('or even before, of what is no method', () => {
      expect(() => {
        class Wrong {
          @UseLock('x')
          static method() {}
        }
        return Wrong;
      }).toThrow(DbLockConfigurationError);
      expect(() => {
        class Wrong {
          @UseLock('x')
          readonly method = () => undefined;
        }
        return Wrong;
      }).toThrow(DbLockConfigurationError);
      expect(() => {
        class Wrong {
          constructor(@CurrentLease() _lease: unknown) {}
        }
        return Wrong;
      }).toThrow(DbLockConfigurationError);
    });
  });
});
