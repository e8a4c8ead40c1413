import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { LockClient, type Lease } from 'nestjs-db-lock';
import { ScriptProcess } from '../support/child-process.js';
import { createLockApplication } from '../support/lock-application.js';
import { until } from '../support/patience.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { GuardedResource } from './guarded-resource.js';

const NAME = 'job';

/** Holds the lock and keeps it alive; tells what has become of it when its standard input ends. */
const HOLDER = `
  import { LockClient } from 'nestjs-db-lock';
  import { GuardedResource } from './test/faults/guarded-resource.ts';
  import { createLockApplication } from './test/support/lock-application.ts';

  const url = process.argv[1];
  const app = await createLockApplication({ database: { type: 'postgres', url } });
  const lease = await app.get(LockClient).acquire('${NAME}', { ttl: 2000, keepAlive: true });
  const { lockName, fencingToken, signal } = lease;
  console.log(JSON.stringify({ fencingToken }));

  process.stdin.resume().on('end', async () => {
    const { timeLeft } = lease;
    const { accepted } = await new GuardedResource(url).use(lockName, fencingToken, 'exclusive');
    const release = await lease.release().then(() => 'released', ({ code }) => code);
    console.log(JSON.stringify({ timeLeft, lost: signal.reason?.code, accepted, release }));
    process.exit();
  });`;

describe('a process that holds a lock', () => {
  let database: TestDatabase;
  let app: INestApplication;
  let locks: LockClient;
  let resource: GuardedResource;
  let holder: ScriptProcess;
  let held: { fencingToken: number };

  beforeEach(async () => {
    database = await createTestDatabase();
    app = await createLockApplication({ database: { type: 'postgres', url: database.url } });
    locks = app.get(LockClient);
    resource = new GuardedResource(database.url);
    await resource.create();
    holder = new ScriptProcess(HOLDER, database.url);
    held = JSON.parse(await holder.line()) as { fencingToken: number };
  });

  afterEach(async () => {
    await holder.kill();
    await resource.close();
    await app.close();
    await database.drop();
  });

  /** The next lease, as soon as there can be one. */
  async function successor(): Promise<Lease> {
    let lease: Lease | null = null;
    await until('the lock is free', 20_000, async () => {
      lease = await locks.tryAcquire(NAME, { ttl: '60s' });
      return lease !== null;
    });
    return lease!;
  }

  it('is killed: the lock is free after the TTL, and not before (case 44)', async () => {
    await holder.kill();
    const left = await locks.inspect(NAME);
    expect(left?.fencingToken).toBe(held.fencingToken);
    const next = await successor();
    expect(next.lockTime.getTime()).toBeGreaterThanOrEqual(left!.expireTime.getTime());
    expect(next.fencingToken).toBeGreaterThan(held.fencingToken);
    await next.release();
  });

  it('is paused past its TTL: the lease is lost, and its holder fenced out (case 45)', async () => {
    process.kill(holder.pid, 'SIGSTOP');
    const next = await successor();
    expect(await resource.use(NAME, next.fencingToken, 'exclusive')).toMatchObject({ accepted: true });

    const told = holder.finish();
    process.kill(holder.pid, 'SIGCONT');
    await told;
    expect(JSON.parse(holder.lines[1]!)).toEqual({
      timeLeft: 0,
      lost: 'LEASE_LOST',
      accepted: false,
      release: 'LEASE_LOST',
    });
    expect(await locks.inspect(NAME)).toMatchObject({ state: 'held', fencingToken: next.fencingToken });
    await next.release();
  });
});
