import { ScriptProcess } from '../support/child-process.js';
import { until } from '../support/patience.js';
import type { Grant, History, Release } from './history.js';

/** Milliseconds for some grants to be made. */
const PATIENCE = 60_000;

/** Prints a line for each lease, and one before it asks for the end of one. Like others, it waits for all locks but the last. */
const SCRIPT = `
import libsql from 'libsql';
import { createLockClient, dbLockEntities } from 'nestjs-db-lock';
import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { DataSource } from 'typeorm';

const [, database, names, workerName] = process.argv;
const lockNames = JSON.parse(names);
const dataSource = new DataSource({ type: 'better-sqlite3', driver: libsql, database, entities: dbLockEntities() });
const locks = await createLockClient({ dataSource, statementTimeout: '1s', workerName });
const say = (event, what) => console.log(JSON.stringify({ [event]: what }));

function passing(error) {
  if (!['STORE_UNAVAILABLE', 'LEASE_LOST'].includes(error.code)) throw error;
}

async function work() {
  for (;;) {
    const lockName = lockNames[randomInt(lockNames.length)];
    const wait = lockName === lockNames.at(-1) ? 0 : randomInt(500);
    const mode = randomInt(10) < 4 ? { limit: 4, permits: randomInt(1, 3) } : {};
    const options = { ttl: randomInt(300, 1_500), wait, keepAlive: false, ...mode };
    const lease = await locks.tryAcquire(lockName, options).catch(passing);
    if (lease) {
      const { grantId, fencingToken: token, permits, limit } = lease;
      const share = lease.mode === 'shared' ? { permits, limit } : undefined;
      const [lockTime, expireTime] = [lease.lockTime.getTime(), lease.expireTime.getTime()];
      say('granted', { share, lockName, workerName, grantId, token, lockTime, expireTime });
      await sleep(randomInt(30));
      if (randomInt(10) < 7) {
        say('releasing', { lockName, grantId });
        await lease.release().catch(passing);
      }
    }
    await sleep(randomInt(50));
  }
}

await Promise.all([work(), work(), work()]);
`;

type Line = { granted: Omit<Grant, 'answeredAt'> } | { releasing: Omit<Release, 'sentAt' | 'answeredAt'> };

let count = 0;

/** Another process with an application on the same file, which contends for the same locks. */
export class SqliteNeighbour {
  readonly #process: ScriptProcess;

  constructor(
    file: string,
    private readonly lockNames: readonly string[],
  ) {
    this.#process = new ScriptProcess(SCRIPT, file, JSON.stringify(lockNames), `neighbour ${++count}`);
  }

  /** Waits until it has had a few leases. */
  async isAtWork(): Promise<void> {
    await this.#process.line();
    await until('a neighbour has leases', PATIENCE, () => this.#process.lines.length > 10);
  }

  /** kill -9, whatever it does. Adds to the history what it was told before. */
  async kill({ grants, releases, waits }: Pick<History, 'grants' | 'releases' | 'waits'>): Promise<void> {
    await this.#process.kill();
    for (const lockName of this.lockNames.slice(0, -1)) waits.push({ lockName, sentAt: 0, until: Infinity });
    for (const line of this.#lines()) {
      // When it was told is not known here: at the latest when it all is over.
      if ('granted' in line) grants.push({ ...line.granted, answeredAt: Infinity });
      else releases.push({ ...line.releasing, sentAt: 0, answeredAt: Infinity });
    }
  }

  /** Of the last one, a part may be missing. */
  #lines(): Line[] {
    const whole = this.#process.lines.filter((line) => line.startsWith('{') && line.endsWith('}}'));
    return whole.map((line) => JSON.parse(line) as Line);
  }
}
