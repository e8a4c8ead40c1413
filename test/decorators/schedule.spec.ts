import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable, type INestApplication } from '@nestjs/common';
import { Cron, CronExpression, Interval, ScheduleModule, SchedulerRegistry, Timeout } from '@nestjs/schedule';
import { CurrentLease, currentLease, LockClient, LockServer, UseLock, type Lease } from 'nestjs-db-lock';
import { eventually } from '../../libs/db-lock/src/testing/context.js';
import { createLockApplication } from '../support/lock-application.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

/** A job that is fired by hand, whatever the time is. */
const byHand = (name: string) => Cron('0 0 1 1 *', { name, waitForCompletion: true });

const HOUR = { ttl: '1h', minHold: '1h' };

/** By job: the instances that ran it, in their order, and how often one found the lock busy. */
const ran = new Map<string, string[]>();
const skipped = new Map<string, number>();

const runsOf = (name: string) => ran.get(name) ?? [];
const skipsOf = (name: string) => skipped.get(name) ?? 0;

function run({ lockName, workerName } = currentLease()!): void {
  ran.set(lockName, [...runsOf(lockName), workerName]);
}

const orSkip = {
  whenBusy: ({ lockName }: { lockName: string }) => skipped.set(lockName, skipsOf(lockName) + 1),
};

@Injectable()
class Jobs {
  @Cron(CronExpression.EVERY_SECOND, { name: 'ticking', waitForCompletion: true })
  @UseLock('ticking', { ...HOUR, ...orSkip })
  ticking() {
    run();
  }

  @byHand('above')
  @UseLock('above', { ...HOUR, ...orSkip })
  async above(_onComplete: unknown, @CurrentLease() lease?: Lease) {
    run(lease);
  }

  @UseLock('below', { ...HOUR, ...orSkip })
  @byHand('below')
  async below(_onComplete: unknown, @CurrentLease() lease?: Lease) {
    run(lease);
  }

  @byHand('careless')
  @UseLock('careless', orSkip)
  careless() {
    run();
  }

  @Interval('interval', 20)
  @UseLock('interval', { ...HOUR, ...orSkip })
  interval() {
    run();
  }

  @UseLock('timeout', { ...HOUR, ...orSkip })
  @Timeout('timeout', 20)
  timeout() {
    run();
  }
}

describe('43 @UseLock on scheduled methods of two instances', () => {
  let database: TestDatabase;
  let instances: INestApplication[];

  beforeAll(async () => {
    database = await createTestDatabase();
    instances = [await start('one'), await start('two')];
  });

  beforeEach(() => {
    for (const name of ['above', 'below', 'careless']) ran.delete(name);
  });

  afterAll(async () => {
    await Promise.all(instances.map((app) => app.close()));
    await database.drop();
  });

  const start = (workerName: string) =>
    createLockApplication({
      database: { type: 'postgres', url: database.url },
      features: [{ workerName }],
      metadata: { imports: [ScheduleModule.forRoot()], providers: [Jobs] },
    });

  /** The clock of an instance says that it is time; resolves when its job is over. */
  const fire = (name: string, instance: number) =>
    instances[instance]!.get(SchedulerRegistry).getCronJob(name).fireOnTick();

  /** The lock is free again, as after its `minHold`. */
  const freeAgain = (lockName: string) =>
    instances[0]!
      .get(LockServer)
      .desk.forceRelease({ lockName, actor: 'test', reason: 'An hour has passed.' });

  const stateOf = async (lockName: string) => (await instances[0]!.get(LockClient).inspect(lockName))?.state;

  it.each([
    ['ticking', 3],
    ['interval', 9],
    ['timeout', 1],
  ])('runs one of them when the scheduler says so: %s', async (name, skips) => {
    await eventually(() => skipsOf(name) >= skips);
    expect(runsOf(name)).toHaveLength(1);
    expect(await stateOf(name)).toBe('held');
  });

  it.each(['above', 'below'])(
    'runs one of them at each tick when both come at once: @Cron %s',
    async (name) => {
      for (let tick = 1; tick <= 5; tick++) {
        await Promise.all([fire(name, 0), fire(name, 1)]);
        expect(runsOf(name)).toHaveLength(tick);
        await freeAgain(name);
      }
    },
  );

  it.each(['above', 'below'])(
    'runs one of them at each tick when their clocks differ: @Cron %s',
    async (name) => {
      for (const [first, second] of [
        [0, 1],
        [1, 0],
        [0, 1],
      ] as const) {
        ran.delete(name);
        await fire(name, first);
        await fire(name, second);
        expect(runsOf(name)).toEqual([['one', 'two'][first]]);
        await freeAgain(name);
      }
    },
  );

  it('would run both of them without minHold, when the job is over before the other clock strikes', async () => {
    await fire('careless', 0);
    await fire('careless', 1);
    expect(runsOf('careless')).toEqual(['one', 'two']);
  });
});
