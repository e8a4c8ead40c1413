import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  Body,
  Controller,
  Get,
  Header,
  HttpCode,
  Injectable,
  Param,
  Post,
  SetMetadata,
  UseFilters,
  UseGuards,
  type INestApplication,
} from '@nestjs/common';
import { EventEmitter2, EventEmitterModule, OnEvent } from '@nestjs/event-emitter';
import { Cron } from '@nestjs/schedule';
import {
  CurrentLease,
  currentLease,
  DbLockConfigurationError,
  InvalidLockRequestError,
  LockBusyError,
  LockClient,
  LockServer,
  ProblemFilter,
  StoreUnavailableError,
  UseLock,
  type Lease,
} from 'nestjs-db-lock';
import { of } from 'rxjs';
import { eventually } from '../../libs/db-lock/src/testing/context.js';
import { createLockApplication, listen } from '../support/lock-application.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

interface Order {
  id: string | number;
}

@Injectable()
class Shop {
  readonly prefix = 'shop';
  readonly ran: unknown[][] = [];

  constructor(private readonly locks: LockClient) {}

  @UseLock('plain')
  async plain(...args: unknown[]) {
    this.ran.push(args);
    return { state: (await this.locks.inspect('plain'))?.state, self: this };
  }

  @UseLock('sync')
  sync(one: number, other: number) {
    return one + other;
  }

  @UseLock('throws')
  async throws(error: unknown) {
    throw error;
  }

  @UseLock('order:{0.id}:{1}')
  async template(_order: Order, _kind: string | number | undefined) {
    return currentLease()!.lockName;
  }

  @UseLock(function (this: Shop, order: Order) {
    return `${this.prefix}:${order.id}`;
  })
  async computed(_order: Order) {
    return currentLease()!.lockName;
  }

  @UseLock(async (order: Order) => `later:${order.id}`)
  async computedLater(_order: Order) {
    return currentLease()!.lockName;
  }

  @UseLock((order: Order) => order.id as string)
  async unfit(_order: Order) {
    throw new Error('has run');
  }

  @UseLock(() => {
    throw new RangeError('no key');
  })
  async keyless() {
    throw new Error('has run');
  }

  async inner() {
    return this.sync(1, 2);
  }

  @UseLock('busy')
  async busyThrows(...args: unknown[]) {
    this.ran.push(args);
  }

  @UseLock('busy', { whenBusy: 'skip' })
  async busySkips(...args: unknown[]) {
    this.ran.push(args);
    return 'done';
  }

  @UseLock('busy', {
    whenBusy(this: Shop, error: LockBusyError, ...args: unknown[]) {
      return [this.prefix, error, ...args];
    },
  })
  async busyFallsBack(...args: unknown[]) {
    this.ran.push(args);
    return 'done';
  }

  @UseLock('busy', {
    whenBusy: async () => {
      throw new RangeError('fallback');
    },
  })
  async busyFallsDown() {}

  @UseLock('outer', { whenBusy: 'skip' })
  async ownBusyness() {
    await this.locks.acquire('busy');
  }

  @UseLock('options', {
    ttl: '7s',
    workerName: 'shopkeeper',
    metadata: { job: 7 },
    wait: '10s',
    minHold: '7s',
    keepAlive: false,
  })
  async options() {
    return this.locks.inspect('options');
  }

  @UseLock('stream')
  stream() {
    return of(1);
  }

  @UseLock('generator')
  async *generator() {
    yield 1;
  }

  @UseLock('first')
  async leaseFirst(@CurrentLease() lease?: Lease, text?: string) {
    return [lease?.lockName, text, lease === currentLease()];
  }

  @UseLock('last')
  async leaseLast(one: number, @CurrentLease() lease?: Lease, ...more: number[]) {
    return [one, lease?.lockName, ...more];
  }

  @UseLock('far')
  async leaseFar(_one?: number, _two?: number, @CurrentLease() lease?: Lease) {
    return [_one, _two, lease?.lockName];
  }

  @UseLock('nested:outer')
  @UseLock('nested:inner')
  async nested(@CurrentLease() lease?: Lease) {
    return [lease?.lockName, currentLease()?.lockName, currentLease('nested:outer')?.lockName];
  }

  readonly events: unknown[] = [];

  @OnEvent('paid')
  @UseLock('event:{0.id}')
  async above(order: Order, @CurrentLease() lease?: Lease) {
    this.events.push(['above', order.id, lease?.lockName]);
  }

  @UseLock('event:{0.id}', { wait: '10s' })
  @OnEvent('paid')
  async below(order: Order) {
    this.events.push(['below', order.id, currentLease()?.lockName]);
  }
}

@Controller('shop')
@UseFilters(ProblemFilter)
class ShopController {
  @Post('orders/:id')
  @HttpCode(202)
  @Header('x-shop', 'open')
  @UseLock('http:{1}')
  above(@Body() body: { text: string }, @Param('id') id: string, @CurrentLease() lease?: Lease) {
    return { text: body.text, id, lockName: lease?.lockName };
  }

  @UseLock('http')
  @Get('below')
  @HttpCode(203)
  below(@CurrentLease() lease?: Lease) {
    return { lockName: lease?.lockName, current: currentLease()?.lockName };
  }
}

describe('@UseLock', () => {
  let database: TestDatabase;
  let app: INestApplication;
  let shop: Shop;
  let locks: LockClient;

  beforeAll(async () => {
    database = await createTestDatabase();
    app = await createLockApplication({
      database: { type: 'postgres', url: database.url },
      features: [{ isGlobal: true }],
      metadata: { imports: [EventEmitterModule.forRoot()], providers: [Shop], controllers: [ShopController] },
    });
    shop = app.get(Shop);
    locks = app.get(LockClient);
  });

  afterEach(() => {
    jest.restoreAllMocks();
    shop.ran.length = 0;
  });

  afterAll(async () => {
    await app.close();
    await database.drop();
  });

  const stateOf = async (lockName: string) => (await locks.inspect(lockName))?.state;

  it('runs the method under the lock, with its object and arguments, and passes its result on', async () => {
    const order = { id: 1 };
    expect(await shop.plain(order, 'more')).toEqual({ state: 'held', self: shop });
    expect(shop.ran).toEqual([[order, 'more']]);
    expect(await stateOf('plain')).toBe('released');
  });

  it('makes a promise of what a method returns without one', async () => {
    const sum: unknown = shop.sync(1, 2);
    expect(sum).toBeInstanceOf(Promise);
    expect(await sum).toBe(3);
  });

  it('takes the lock however the method is reached', async () => {
    const asked = jest.spyOn(app.get(LockServer), 'acquireChecked');
    await shop.inner();
    await Promise.resolve(Shop.prototype.sync.call(shop, 1, 2));
    expect(asked.mock.calls.map(([{ lockName }]) => lockName)).toEqual(['sync', 'sync']);
  });

  it.each([
    new TypeError('mine'),
    'text',
    undefined,
    new LockBusyError('mine', { workerName: null, lockTime: null, expireTime: null }, null),
  ])("passes the method's own error on as it is: %p", async (thrown) => {
    const caught = await shop.throws(thrown).then(
      () => 'nothing',
      (error: unknown) => error,
    );
    expect(caught).toBe(thrown);
    expect(await stateOf('throws')).toBe('released');
  });

  it('hands its options on', async () => {
    const lock = (await shop.options())!;
    expect(lock).toMatchObject({ workerName: 'shopkeeper', metadata: { job: 7 } });
    expect(lock.expireTime.getTime() - lock.lockTime.getTime()).toBe(7000);
    expect(await stateOf('options')).toBe('held');
  });

  it('refuses what would run after the lock', async () => {
    for (const method of ['stream', 'generator'] as const) {
      const refusal: unknown = await Promise.resolve(shop[method]()).catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(DbLockConfigurationError);
      expect(refusal).toMatchObject({ message: expect.stringContaining(`Shop.${method}`) });
    }
  });

  describe('40 keeps what a method is', () => {
    const Marked = SetMetadata('mark', 'left');

    class Bare {
      @Marked
      @Cron('0 0 1 1 *', { name: 'job' })
      @OnEvent('event')
      @Get('path')
      @HttpCode(418)
      @Header('x', 'y')
      @UseGuards(class {})
      async method(_one: number, _two: string) {}
    }

    class Above {
      @UseLock('above')
      @Marked
      @Cron('0 0 1 1 *', { name: 'job' })
      @OnEvent('event')
      @Get('path')
      @HttpCode(418)
      @Header('x', 'y')
      @UseGuards(class {})
      async method(_one: number, _two: string) {}
    }

    class Below {
      @Marked
      @Cron('0 0 1 1 *', { name: 'job' })
      @OnEvent('event')
      @Get('path')
      @HttpCode(418)
      @Header('x', 'y')
      @UseGuards(class {})
      @UseLock('below')
      async method(_one: number, _two: string) {}
    }

    class Between {
      @Marked
      @Cron('0 0 1 1 *', { name: 'job' })
      @OnEvent('event')
      @UseLock('between')
      @Get('path')
      @HttpCode(418)
      @Header('x', 'y')
      @UseGuards(class {})
      async method(_one: number, _two: string) {}
    }

    class Twice {
      @UseLock('above')
      @Marked
      @Cron('0 0 1 1 *', { name: 'job' })
      @OnEvent('event')
      @UseLock('below')
      @Get('path')
      @HttpCode(418)
      @Header('x', 'y')
      @UseGuards(class {})
      async method(_one: number, _two: string) {}
    }

    const metadataOf = (type: { prototype: { method: object } }) => {
      const { method } = type.prototype;
      const keys = Reflect.getMetadataKeys(method) as string[];
      return keys
        .map((key) => [key, Reflect.getMetadata(key, method)] as const)
        .sort(([one], [other]) => one.localeCompare(other));
    };

    it.each([
      ['above', Above],
      ['below', Below],
      ['between', Between],
      ['above and below', Twice],
    ])('%s other decorators', (_, type) => {
      const { method } = type.prototype;
      expect(method.name).toBe('method');
      expect(method).toHaveLength(2);
      expect(metadataOf(Bare).length).toBeGreaterThan(6);
      expect(metadataOf(type).map(([key]) => key)).toEqual(metadataOf(Bare).map(([key]) => key));
      expect(JSON.stringify(metadataOf(type))).toBe(JSON.stringify(metadataOf(Bare)));
      expect(Object.getOwnPropertyDescriptor(type.prototype, 'method')).toMatchObject({
        enumerable: false,
        writable: true,
        configurable: true,
      });
    });

    it('takes its parameters from the caller and from Nest, and the lease where it is asked for', async () => {
      expect(await shop.leaseFirst(undefined, 'text')).toEqual(['first', 'text', true]);
      expect(await shop.leaseLast(1)).toEqual([1, 'last']);
      expect(await shop.leaseLast(1, undefined, 2, 3)).toEqual([1, 'last', 2, 3]);
      expect(await shop.leaseFar()).toEqual([undefined, undefined, 'far']);
      expect(await shop.nested()).toEqual(['nested:inner', 'nested:inner', 'nested:outer']);
    });

    it('works above and below routes', async () => {
      const origin = await listen(app);
      const above = await fetch(`${origin}/shop/orders/42`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ text: 'hello' }),
      });
      expect(above.status).toBe(202);
      expect(above.headers.get('x-shop')).toBe('open');
      expect(await above.json()).toEqual({ text: 'hello', id: '42', lockName: 'http:42' });
      const below = await fetch(`${origin}/shop/below`);
      expect(below.status).toBe(203);
      expect(await below.json()).toEqual({ lockName: 'http', current: 'http' });
      await using _busy = await locks.acquire('http');
      expect((await fetch(`${origin}/shop/below`)).status).toBe(409);
    });

    it('works above and below event listeners', async () => {
      app.get(EventEmitter2).emit('paid', { id: 5 });
      await eventually(() => shop.events.length >= 2);
      expect(shop.events).toEqual(
        expect.arrayContaining([
          ['above', 5, 'event:5'],
          ['below', 5, 'event:5'],
        ]),
      );
    });
  });

  describe('41 makes the key of the arguments', () => {
    it('by a template', async () => {
      expect(await shop.template({ id: 'a' }, 7)).toBe('order:a:7');
      expect(await shop.template({ id: 0 }, '')).toBe('order:0:');
    });

    it('by a function, with the object as this, also later', async () => {
      expect(await shop.computed({ id: 9 })).toBe('shop:9');
      expect(await shop.computedLater({ id: 9 })).toBe('later:9');
    });

    it('so that different keys exclude nobody, and equal ones do', async () => {
      await using _other = await locks.acquire('shop:1');
      expect(await shop.computed({ id: 2 })).toBe('shop:2');
      await expect(shop.computed({ id: 1 })).rejects.toThrow(LockBusyError);
    });

    it('and refuses arguments that make none', async () => {
      for (const args of [
        [{}, 'x'],
        [{ id: null }, 'x'],
        [undefined, 'x'],
        [{ id: {} }, 'x'],
      ]) {
        const template = shop.template as (...args: unknown[]) => Promise<unknown>;
        await expect(template.apply(shop, args)).rejects.toMatchObject({ issues: [{ field: '{0.id}' }] });
      }
      await expect(shop.template({ id: 1 }, undefined)).rejects.toMatchObject({ issues: [{ field: '{1}' }] });
      await expect(shop.template({ id: 'x'.repeat(300) }, 1)).rejects.toThrow(InvalidLockRequestError);
      for (const id of [7, '', undefined] as string[])
        await expect(shop.unfit({ id })).rejects.toMatchObject({ issues: [{ field: 'lockName' }] });
      await expect(shop.keyless()).rejects.toThrow(RangeError);
    });
  });

  describe('42 when the lock is busy', () => {
    let holder: Lease;

    beforeAll(async () => {
      holder = await locks.acquire('busy', { workerName: 'somebody', ttl: '5m' });
    });

    afterAll(() => holder.release());

    afterEach(() => {
      expect(shop.ran).toEqual([]);
    });

    it('throws, by default', async () => {
      const error = await shop.busyThrows().catch((error: unknown) => error);
      expect(error).toBeInstanceOf(LockBusyError);
      expect(error).toMatchObject({ lockName: 'busy', holder: { workerName: 'somebody' } });
    });

    it('skips the method', async () => {
      expect(await shop.busySkips(1, 2)).toBeUndefined();
    });

    it('falls back to a function, with the object, the error and the arguments', async () => {
      expect(await shop.busyFallsBack(1, 2)).toEqual(['shop', expect.any(LockBusyError), 1, 2]);
      await expect(shop.busyFallsDown()).rejects.toThrow(RangeError);
    });

    it("does not take the method's own busy lock for its own", async () => {
      await expect(shop.ownBusyness()).rejects.toMatchObject({ lockName: 'busy' });
    });

    it('does not take a store without an answer for busy', async () => {
      jest
        .spyOn(app.get(LockServer), 'acquireChecked')
        .mockRejectedValue(new StoreUnavailableError('no answer'));
      await expect(shop.busySkips()).rejects.toThrow(StoreUnavailableError);
      await expect(shop.busyFallsBack()).rejects.toThrow(StoreUnavailableError);
    });
  });
});
