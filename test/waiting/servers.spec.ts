import { afterEach, describe, expect, it } from '@jest/globals';
import { LockBusyError, StoreUnavailableError, type Lease } from 'nestjs-db-lock';
import { setTimeout as sleep } from 'node:timers/promises';
import { ScriptProcess } from '../support/child-process.js';
import { until } from '../support/patience.js';
import { BlockingSession } from '../support/blocking-session.js';
import { LONG_TURN } from '../faults/tampered-postgres.js';
import type { Tampering } from '../faults/tampering.js';
import { PATIENCE, WaitingScene, type Host } from './scene.js';

const NAME = 'job';

let scene: WaitingScene;

afterEach(() => scene.close(), 60_000);

describe('who waits on another server', () => {
  it('is woken by a notification, one for each release and only when somebody waits', async () => {
    scene = await WaitingScene.open(2);
    const [ann, bob] = scene.hosts as [Host, Host];
    const heard = await scene.eavesdrop();
    const began = performance.now();
    await (await ann.client.acquire('nobody waits')).release();

    let lease = await ann.client.acquire(NAME, { ttl: '1h' });
    for (let round = 0; round < 5; round++) {
      const other = round % 2 ? ann : bob;
      const waiting = other.client.acquire(NAME, { ttl: '1h', wait: '60s', workerName: `w${round}` });
      await scene.queued(NAME, `w${round}`);
      await lease.release();
      lease = await waiting;
    }
    await lease.release();
    await until('all notifications are there', PATIENCE, () => heard.length >= 5);
    expect(heard).toEqual(Array.from({ length: 5 }, () => NAME));
    await until('the queue is empty', PATIENCE, async () => (await scene.waiterRows()) === 0);
    const mode = 'Waiters are woken by notifications of the database.';
    const isIt = (said: string) => said === mode;
    await until('the mode of both is known', PATIENCE, () => scene.modes().filter(isIt).length === 2);
    // Where the database stands still just then, a server takes notifications for lost after two seconds, until it tries again.
    const timesToDoubt = Math.floor((performance.now() - began) / 2_000);
    expect(scene.modes().length).toBeLessThanOrEqual(2 + 2 * timesToDoubt);
  });

  /** What a release notifies by itself does not arrive. */
  const DEAF: Tampering = { pattern: /count\(pg_notify\('/, replacement: "count(pg_notify('elsewhere_" };

  it.each<[why: string, tampering: Tampering]>([
    [
      "the database's queue of notifications fills up",
      { pattern: /pg_notification_queue_usage\(\)/, replacement: '0.25' },
    ],
    ['the release may not notify', { pattern: /count\(pg_notify\(/, replacement: 'count(no_such_function(' }],
    ['notifications stand still', { pattern: /count\(pg_notify\(/, replacement: 'count(stands_still(' }],
  ])('is woken by a notification of its own where %s', async (_, tampering) => {
    scene = await WaitingScene.open(0);
    await scene.query(`
      CREATE FUNCTION stands_still(text, text) RETURNS void LANGUAGE plpgsql AS
      $$ BEGIN RAISE EXCEPTION 'lock timeout' USING ERRCODE = '55P03'; END $$`);
    for (let host = 0; host < 2; host++) await scene.addHost(tampering, DEAF);
    const [ann, bob] = scene.hosts as [Host, Host];
    const heard = await scene.eavesdrop();
    for (let round = 1; round <= 2; round++) {
      const lease = await ann.client.acquire(NAME, { ttl: '1h' });
      const waiting = bob.client.acquire(NAME, { wait: '60s', workerName: 'bob' });
      await scene.queued(NAME, 'bob');
      await lease.release();
      await (await waiting).release();
      await until('the notification is there', PATIENCE, () => heard.length >= round);
    }
    expect(heard).toEqual([NAME, NAME]);
  });

  it('gets the lock before one who came later, wherever it waits', async () => {
    scene = await WaitingScene.open(3, LONG_TURN);
    const lease = await scene.hosts[0]!.client.acquire(NAME, { ttl: '1h' });
    const served: string[] = [];
    const waiting: Array<Promise<Lease>> = [];
    const queue: string[] = [];
    for (let turn = 0; turn < 9; turn++) {
      const workerName = `w${turn}`;
      queue.push(workerName);
      const { client } = scene.hosts[turn % 3]!;
      waiting.push(client.acquire(NAME, { ttl: '1h', wait: '60s', workerName }));
      await scene.queued(NAME, ...queue);
    }
    await lease.release();
    await Promise.all(
      waiting.map(async (acquire) => {
        const next = await acquire;
        served.push(next.workerName);
        await next.release();
      }),
    );
    expect(served).toEqual(queue);
  });

  it('is not starved by one server whose waiters come back at once', async () => {
    scene = await WaitingScene.open(2);
    const grants = new Map<string, number>();
    const stop = new AbortController();
    const loop = async (host: number, worker: number) => {
      const workerName = `w${host}.${worker}`;
      while (!stop.signal.aborted)
        await scene.hosts[host]!.client.withLock(NAME, { wait: '60s', workerName }, () => {
          grants.set(workerName, (grants.get(workerName) ?? 0) + 1);
        });
    };
    // Six on the first server, one on the second.
    const loops = [...Array.from({ length: 6 }, (_, worker) => loop(0, worker)), loop(1, 0)];
    // They are counted from when all of them have come.
    await until('each has been served once', PATIENCE, () => grants.size === 7);
    grants.clear();
    await until('each has been served ten times', PATIENCE, () => {
      return grants.size === 7 && Math.min(...grants.values()) >= 10;
    });
    stop.abort();
    await Promise.all(loops);
    const counts = [...grants.values()];
    const jain = counts.reduce((a, b) => a + b) ** 2 / (7 * counts.reduce((a, b) => a + b * b, 0));
    expect(jain).toBeGreaterThan(0.9);
  });
});

describe('lost notifications (case 31)', () => {
  it('only cost a look, and the mode is logged once', async () => {
    scene = await WaitingScene.open(2, {
      pattern: /pg_notify\(/,
      replacement: 'concat_ws(',
    });
    const [ann, bob] = scene.hosts as [Host, Host];
    for (let round = 0; round < 3; round++) {
      const lease = await ann.client.acquire(NAME, { ttl: '1h' });
      const waiting = bob.client.acquire(NAME, { wait: '60s', workerName: 'bob' });
      await scene.queued(NAME, 'bob');
      await lease.release();
      await (await waiting).release();
    }
    await until('the mode is known', PATIENCE, () => scene.modes().length === 1);
    expect(scene.modes()).toEqual([expect.stringContaining('notifications of the database do not arrive')]);
    expect(bob.log.warnings).toEqual([]);
  });

  it('do not matter where the database knows no LISTEN', async () => {
    scene = await WaitingScene.open(2, { pattern: /LISTEN .*/, replacement: 'SELECT no_such_function()' });
    const [ann, bob] = scene.hosts as [Host, Host];
    const lease = await ann.client.acquire(NAME, { ttl: '1h' });
    const waiting = bob.client.acquire(NAME, { wait: '60s', workerName: 'bob' });
    await scene.queued(NAME, 'bob');
    await lease.release();
    await (await waiting).release();
  });
});

describe('waiters that died or stand still (case 30)', () => {
  const CROWD = 100;

  const CHILD = `
    import { LeaseLostError, LockClient } from 'nestjs-db-lock';
    import { setTimeout as sleep } from 'node:timers/promises';
    import { createLockApplication } from './test/support/lock-application.ts';
    const app = await createLockApplication({ database: { type: 'postgres', url: process.argv[1] } });
    const locks = app.get(LockClient);
    const use = async (ttl) => {
      const lease = await locks.acquire('${NAME}', { wait: '5m', ttl, workerName: 'child' });
      console.log('granted');
      await lease.release();
    };
    console.log('up');
    // What the first is granted while this process stands still is over before anybody here hears of it.
    const first = use('2s').catch((error) => {
      if (error instanceof LeaseLostError) return use('1h');
      throw error;
    });
    while ((await locks.inspect('${NAME}')).waiting === 0) await sleep(10);
    await Promise.all([first, ...Array.from({ length: ${CROWD} - 1 }, () => use('1h'))]);
    await app.close();`;

  it.each(['SIGKILL', 'SIGSTOP'] as const)(
    'are passed over at the head of the queue, a hundred of them, and leave no ghosts (%s)',
    async (signal) => {
      scene = await WaitingScene.open(2);
      const [ann, bob] = scene.hosts as [Host, Host];
      const lease = await ann.client.acquire(NAME, { ttl: '1h' });
      const child = new ScriptProcess(CHILD, scene.url);
      try {
        await child.line();
        await scene.waiting(NAME, CROWD);
        const waiting = bob.client.acquire(NAME, { ttl: '1h', wait: '5m', workerName: 'bob' });
        await scene.waiting(NAME, CROWD + 1);
        const last = bob.client.acquire(NAME, { ttl: '1h', wait: '5m', workerName: 'carol' });
        await scene.waiting(NAME, CROWD + 2);
        process.kill(child.pid, signal);
        await lease.release();
        const next = await waiting;
        expect(next.workerName).toBe('bob');

        // They disappear by themselves, once their server has not been heard of for a while; who lives stays.
        await scene.queued(NAME, 'carol');
        if (signal === 'SIGSTOP') {
          process.kill(child.pid, 'SIGCONT');
          await scene.waiting(NAME, CROWD + 1);
          await next.release();
          // They have kept their places, but for the first, whose grant was over before it heard of it: it asks again, behind carol.
          await child.line(CROWD);
          await (await last).release();
          await child.line(1 + CROWD);
          await child.finish();
        } else {
          await next.release();
          await (await last).release();
        }
        await until('the lock is free', PATIENCE, async () => {
          const lock = await ann.server.inspect(NAME);
          return lock?.state !== 'held' && lock?.waiting === 0;
        });
      } finally {
        await child.kill();
      }
    },
  );
});

describe('many who wait', () => {
  it('need no more connections than one, nor the pool of the application (case 48)', async () => {
    scene = await WaitingScene.open(1);
    const { client } = scene.hosts[0]!;
    const lease = await client.acquire(NAME, { ttl: '1h' });
    const enough = new AbortController();
    const waiting = Array.from({ length: 2_000 }, () =>
      client.acquire(NAME, { wait: '10m', signal: enough.signal }).catch((error: unknown) => error),
    );
    await until('all are in the queue', PATIENCE, async () => (await scene.waiterRows()) === 2_000);
    const [{ count }] = (await scene.query<{ count: string }>(
      `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE '%db-lock'`,
    )) as [{ count: string }];
    expect(Number(count)).toBeLessThanOrEqual(5);
    // The application's one connection is nobody's.
    expect(await client.tryAcquire('another')).not.toBeNull();

    enough.abort(new Error('enough'));
    expect(new Set((await Promise.all(waiting)).map((error) => (error as Error).message))).toEqual(
      new Set(['enough']),
    );
    await until('nobody is left behind', PATIENCE, async () => (await scene.waiterRows()) === 0);
    await lease.release();
    await until('what a look under way was granted is given back', PATIENCE, async () => {
      return (await scene.hosts[0]!.server.inspect(NAME))?.state === 'released';
    });
  });
});

describe('a database that does not answer', () => {
  it('makes neither "busy" nor "granted" of a wait that runs out', async () => {
    scene = await WaitingScene.open(1);
    const { client } = scene.hosts[0]!;
    await (await client.acquire(NAME)).release();
    const blocker = await BlockingSession.open(scene.url);
    await blocker.lockTable();
    await expect(client.acquire(NAME, { wait: 200 })).rejects.toThrow(StoreUnavailableError);
    await blocker.letGo();
    await blocker.close();
    await until('what was granted in vain is free', PATIENCE, async () => {
      return (await scene.hosts[0]!.server.inspect(NAME))?.state === 'released';
    });
  });

  it('only holds up those who still have time to wait', async () => {
    scene = await WaitingScene.open(2);
    const [ann, bob] = scene.hosts as [Host, Host];
    const lease = await ann.client.acquire(NAME, { ttl: '1h' });
    const waiting = bob.client.acquire(NAME, { wait: '60s', workerName: 'bob' });
    await scene.queued(NAME, 'bob');
    await scene.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND application_name LIKE '%db-lock'`,
    );
    await sleep(50);
    await lease.release();
    await (await waiting).release();
  });
});

describe('the shutdown', () => {
  it('ends every wait', async () => {
    scene = await WaitingScene.open(2);
    const [ann, bob] = scene.hosts as [Host, Host];
    const lease = await ann.client.acquire(NAME, { ttl: '1h' });
    const waiting = bob.client
      .acquire(NAME, { wait: '10m', workerName: 'bob' })
      .catch((error: unknown) => error);
    const direct = bob.server
      .acquire({
        lockName: NAME,
        workerName: 'direct',
        grantId: crypto.randomUUID(),
        ttl: 1000,
        wait: 600_000,
      })
      .catch((error: unknown) => error);
    await scene.queued(NAME, 'bob', 'direct');
    await bob.app.close();
    scene.hosts.pop();
    for (const reason of [await waiting, await direct])
      expect(reason).toMatchObject({ code: 'CLIENT_CLOSED' });
    await expect(ann.client.acquire(NAME, { wait: 1 })).rejects.toThrow(LockBusyError);
    await lease.release();
  });
});
