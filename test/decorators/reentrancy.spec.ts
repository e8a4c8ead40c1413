import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable, type INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  currentLease,
  DbLockModule,
  DjangoDbLockClient,
  getLockClientToken,
  InvalidLockRequestError,
  LockBusyError,
  LockClient,
  LockEvents,
  LockServer,
  UseLock,
  type Lease,
  type LockWorkOptions,
} from 'nestjs-db-lock';
import { randomUUID } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { eventually } from '../../libs/db-lock/src/testing/context.js';
import { createLockApplication, listen } from '../support/lock-application.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

@Injectable()
class Countdown {
  readonly tokens = new Set<number>();

  @UseLock('countdown', { reentrant: true })
  async from(count: number): Promise<number> {
    this.tokens.add(currentLease()!.fencingToken);
    return count === 0 ? 0 : 1 + (await this.from(count - 1));
  }

  @UseLock('strict')
  async strictly(count: number): Promise<number> {
    return count === 0 ? 0 : 1 + (await this.strictly(count - 1));
  }
}

/** A promise, and how to fulfil it. */
function gate() {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

describe('A work inside a work', () => {
  const REENTRANT = { reentrant: true };
  let database: TestDatabase;
  let app: INestApplication;
  let locks: LockClient;
  let lockName: string;

  beforeAll(async () => {
    database = await createTestDatabase();
    app = await createLockApplication({
      database: { type: 'postgres', url: database.url },
      features: [{}, { feature: 'other', path: 'other' }],
      metadata: { providers: [Countdown] },
    });
    locks = app.get(LockClient);
  });

  beforeEach(() => {
    lockName = randomUUID();
  });

  afterAll(async () => {
    await app.close();
    await database.drop();
  });

  const state = async (name = lockName) => (await locks.inspect(name))?.state;

  it('finds its own lock busy, as everybody does', async () => {
    await locks.withLock(lockName, async () => {
      await expect(locks.withLock(lockName, () => 'in')).rejects.toThrow(LockBusyError);
      await expect(locks.withLock(lockName, { reentrant: false }, () => 'in')).rejects.toThrow(LockBusyError);
      await expect(locks.withLocks([lockName], () => 'in')).rejects.toThrow(LockBusyError);
      expect(await locks.tryAcquire(lockName)).toBeNull();
    });
    await expect(app.get(Countdown).strictly(1)).rejects.toThrow(LockBusyError);
  });

  it('runs under the same lease when it is reentrant, and the lock is released after the last', async () => {
    await locks.withLock(lockName, async (outer) => {
      const inner = await locks.withLock(lockName, REENTRANT, async (lease) => {
        expect(await locks.withLock(lockName, REENTRANT, (innermost) => innermost)).toBe(outer);
        expect(await state()).toBe('held');
        return lease;
      });
      expect(inner).toBe(outer);
      expect(await state()).toBe('held');
    });
    expect(await state()).toBe('released');
  });

  it('takes the lock when there is none yet', async () => {
    expect(await locks.withLock(lockName, REENTRANT, async () => state())).toBe('held');
    expect(await state()).toBe('released');
  });

  it('may outlive the work around it: the lock is released after it', async () => {
    const inner = gate();
    const result = await locks.withLock(lockName, async () => {
      const running = locks.withLock(lockName, REENTRANT, async (lease) => {
        await inner.opened;
        return lease.timeLeft > 0 && !lease.signal.aborted;
      });
      return { running };
    });
    expect(await state()).toBe('held');
    inner.open();
    expect(await result.running).toBe(true);
    expect(await state()).toBe('released');
  });

  it('passes results and errors through, of each work its own', async () => {
    const thrown = new RangeError('inner');
    const result = await locks.withLock(lockName, async () => {
      const inner = locks.withLock(lockName, REENTRANT, () => {
        throw thrown;
      });
      await expect(inner).rejects.toBe(thrown);
      expect(await state()).toBe('held');
      return 'outer';
    });
    expect(result).toBe('outer');
    expect(await state()).toBe('released');
  });

  it('does not enter once all works under the lease are over', async () => {
    const later = gate();
    let late: Promise<Lease> | undefined;
    const first = await locks.withLock(lockName, async (lease) => {
      late = later.opened.then(() => locks.withLock(lockName, REENTRANT, (entered) => entered));
      return lease;
    });
    await using _other = await locks.acquire(lockName);
    later.open();
    await expect(late).rejects.toThrow(LockBusyError);
    expect(first.timeLeft).toBe(0);
  });

  it('does not enter from outside the work', async () => {
    const work = gate();
    const begun = gate();
    const running = locks.withLock(lockName, async () => {
      begun.open();
      await work.opened;
    });
    await begun.opened;
    await expect(locks.withLock(lockName, REENTRANT, () => 'in')).rejects.toThrow(LockBusyError);
    work.open();
    await running;
  });

  it('does not enter a lease that is lost', async () => {
    await locks.withLock(lockName, async (lease) => {
      await app.get(LockServer).desk.forceRelease({ lockName, actor: 'test', reason: 'test' });
      await expect(lease.renew()).rejects.toThrow(/lost/);
      await using _successor = await locks.acquire(lockName);
      await expect(locks.withLock(lockName, REENTRANT, () => 'in')).rejects.toThrow(LockBusyError);
    });
  });

  it('does not enter the lease of another client, nor of another lock', async () => {
    const other = app.get<LockClient>(getLockClientToken('other'));
    await locks.withLock(lockName, async (outer) => {
      const elsewhere = await other.withLock(lockName, REENTRANT, (lease) => lease);
      expect(elsewhere).not.toBe(outer);
      const another = await locks.withLock(randomUUID(), REENTRANT, (lease) => lease);
      expect(another).not.toBe(outer);
      await other.withLock(lockName, async () => {
        expect(await locks.withLock(lockName, REENTRANT, (lease) => lease)).toBe(outer);
      });
    });
  });

  it('does not enter a lease that was acquired without a work', async () => {
    await using _lease = await locks.acquire(lockName);
    await expect(locks.withLock(lockName, REENTRANT, () => 'in')).rejects.toThrow(LockBusyError);
    expect(currentLease()).toBeUndefined();
  });

  it('minds its signal and its options all the same', async () => {
    await locks.withLock(lockName, async () => {
      const signal = AbortSignal.abort(new RangeError('no'));
      await expect(locks.withLock(lockName, { ...REENTRANT, signal }, () => 'in')).rejects.toThrow(
        RangeError,
      );
      await expect(locks.withLocks([lockName], { ...REENTRANT, signal }, () => 'in')).rejects.toThrow(
        RangeError,
      );
      await expect(locks.withLock(lockName, { ...REENTRANT, ttl: '0s' }, () => 'in')).rejects.toThrow(
        InvalidLockRequestError,
      );
    });
    for (const reentrant of [1, 'yes', null] as unknown[]) {
      const options = { reentrant } as LockWorkOptions;
      await expect(locks.withLock(lockName, options, () => 'in')).rejects.toMatchObject({
        issues: [{ field: 'reentrant' }],
      });
    }
    for (const acquire of [locks.acquire, locks.tryAcquire] as Array<typeof locks.acquire>)
      await expect(acquire.call(locks, lockName, REENTRANT as object)).rejects.toMatchObject({
        issues: [{ field: 'reentrant' }],
      });
  });

  it('is told by events no more than once', async () => {
    const heard: string[] = [];
    const subscription = app.get(LockEvents).events$.subscribe(({ type }) => heard.push(type));
    await locks.withLock(lockName, () => locks.withLock(lockName, REENTRANT, () => undefined));
    subscription.unsubscribe();
    expect(heard).toEqual(['acquired', 'released']);
  });

  it('is a method with @UseLock that calls itself', async () => {
    expect(await app.get(Countdown).from(5)).toBe(5);
    expect(app.get(Countdown).tokens.size).toBe(1);
    expect(await state('countdown')).toBe('released');
  });

  it("is told apart by django-db-lock's client, too", async () => {
    const apiServer = `${await listen(app)}/dblock/`;
    const remote = await Test.createTestingModule({
      imports: [DbLockModule.forRoot({ autoRegisterModel: false, apiServer, protocol: 'django-db-lock' })],
    }).compile();
    await remote.init();
    const client = remote.get(DjangoDbLockClient);
    await client.withLock(lockName, async (outer) => {
      expect(await client.withLock(lockName, REENTRANT, (lease) => lease)).toBe(outer);
      expect(currentLease()).toBe(outer);
      await expect(client.withLock(lockName, () => 'in')).rejects.toThrow(LockBusyError);
    });
    expect(await state()).toBe('released');
    await remote.close();
  });

  describe('of several locks', () => {
    let names: [string, string, string];

    beforeEach(() => {
      names = [`a:${lockName}`, `b:${lockName}`, `c:${lockName}`];
    });

    it('runs under the leases that there are, and takes the others', async () => {
      const [a, b, c] = names;
      await locks.withLock(b, async (outer) => {
        await locks.withLocks([a, b, c], REENTRANT, async (set) => {
          expect(set.leases.map((lease) => lease.lockName)).toEqual([a, b, c]);
          expect(set.get(b)).toBe(outer);
          expect(await Promise.all(names.map(state))).toEqual(['held', 'held', 'held']);
          expect(await locks.withLocks([c, a], REENTRANT, ({ leases }) => leases)).toEqual([
            set.get(c),
            set.get(a),
          ]);
          expect(await locks.withLock(a, REENTRANT, (lease) => lease)).toBe(set.get(a));
          expect([currentLease(), currentLease(c)]).toEqual([set.get(a), set.get(c)]);
        });
        expect(await Promise.all(names.map(state))).toEqual(['released', 'held', 'released']);
      });
      expect(await state(b)).toBe('released');
    });

    it('leaves what there was as it was when another lock is busy', async () => {
      const [a, b, c] = names;
      await using _busy = await locks.acquire(c);
      await locks.withLock(a, async (lease) => {
        await expect(locks.withLocks([a, b, c], REENTRANT, () => 'in')).rejects.toMatchObject({
          lockName: c,
        });
        expect(await Promise.all([a, b].map(state))).toEqual(['held', undefined]);
        expect(lease.timeLeft).toBeGreaterThan(0);
      });
      expect(await state(a)).toBe('released');
    });

    it('may outlive the works around it, too', async () => {
      const [a, b] = names;
      const inner = gate();
      const { running } = await locks.withLock(a, async () => ({
        running: locks.withLocks([b, a], REENTRANT, () => inner.opened),
      }));
      await eventually(async () => (await state(b)) === 'held');
      expect(await state(a)).toBe('held');
      inner.open();
      await running;
      expect(await Promise.all([a, b].map(state))).toEqual(['released', 'released']);
    });
  });

  describe('and the lease under which it runs', () => {
    it('is undefined outside', async () => {
      expect(currentLease()).toBeUndefined();
      await locks.withLock(lockName, () => undefined);
      expect(currentLease()).toBeUndefined();
    });

    it('is the innermost one, or that of the lock which is asked for', async () => {
      await locks.withLock(lockName, async (outer) => {
        await turn();
        expect(currentLease()).toBe(outer);
        const other = randomUUID();
        await locks.withLock(other, async (inner) => {
          await turn();
          expect(currentLease()).toBe(inner);
          expect(currentLease(lockName)).toBe(outer);
          expect(currentLease(other)).toBe(inner);
          expect(currentLease('none')).toBeUndefined();
        });
        expect(currentLease()).toBe(outer);
      });
    });

    it('is undefined in what goes on after the work', async () => {
      const later = gate();
      let seen: Promise<unknown> | undefined;
      await locks.withLock(lockName, () => {
        seen = later.opened.then(() => currentLease() ?? 'none');
      });
      later.open();
      expect(await seen).toBe('none');
    });

    it('is still there when it is lost, with its signal aborted', async () => {
      await locks.withLock(lockName, async (lease) => {
        await app.get(LockServer).desk.forceRelease({ lockName, actor: 'test', reason: 'test' });
        await expect(lease.renew()).rejects.toThrow(/lost/);
        expect(currentLease()).toBe(lease);
        expect(currentLease()!.signal.aborted).toBe(true);
      });
    });

    it('is apart for works that run at the same time', async () => {
      const names = Array.from({ length: 20 }, () => randomUUID());
      const seen = await Promise.all(
        names.map((name) =>
          locks.withLock(name, async () => {
            await turn();
            return currentLease()?.lockName;
          }),
        ),
      );
      expect(seen).toEqual(names);
    });
  });
});
