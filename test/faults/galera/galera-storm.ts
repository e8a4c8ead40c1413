import { setTimeout as sleep } from 'node:timers/promises';
import { violationsOf, type Violation } from '../history-checker.js';
import { Load } from '../load.js';
import { mariadbLoad } from '../mariadb-load.js';
import { LONGEST_TTL } from '../worker.js';
import { GaleraCluster } from './galera-cluster.js';

const LOCK_NAMES = Array.from({ length: 20 }, (_, index) => `hot:${index}`);

/** How often each fault comes. */
const ROUNDS = Number(process.env.DB_LOCK_GALERA_ROUNDS ?? 2);

/** Grants before each fault, and while it lasts. */
const GRANTS = 200;

/** In milliseconds: longer than any lease. */
const PAUSE = 1.3 * LONGEST_TTL;

/** What came of it. */
export interface Outcome {
  violations: Violation[];
  /** Leases that clients were told of. */
  grants: number;
  /** Those of them that share their locks, and those that came to share them by a downgrade. */
  shared: number;
  downgrades: number;
  /** Leases of an hour, each of which was still there after each fault. */
  kept: number;
  /** Transactions that lost against one of another node, and were repeated or given up. */
  conflicts: number;
  /** Requests that got no answer. */
  unknown: number;
}

/**
 * Clients on three nodes contend for twenty locks. One node is killed and comes back, one is cut off from the others, and one stands still. The
 * first node, where the witness is, is left alone.
 * @param say tells what happens
 */
export async function runGaleraStorm(say: (text: string) => void): Promise<Outcome> {
  say('Starting three nodes …');
  const cluster = await GaleraCluster.start();
  try {
    return await storm(cluster, say);
  } finally {
    await cluster.stop();
  }
}

async function storm(cluster: GaleraCluster, say: (text: string) => void): Promise<Outcome> {
  const [first, second, third] = cluster.nodes;
  const load = await Load.start(mariadbLoad(cluster.urls), LOCK_NAMES);

  const faults = {
    async 'node-3 is killed, and comes back'() {
      await third.kill();
      await load.grants(GRANTS);
      await load.keep();
      await cluster.revive(third);
    },
    async 'node-2 is cut off from the others, and comes back'() {
      await second.isolate(true);
      await first.sees(2);
      await load.grants(GRANTS);
      await load.keep();
      await second.isolate(false);
      await cluster.isWhole();
    },
    async 'node-3 stands still until the others go on without it'() {
      await third.pause();
      await first.sees(2);
      await load.grants(GRANTS);
      await load.keep();
      third.resume();
      await cluster.isWhole();
    },
    async 'node-2 stands still for longer than a lease'() {
      await second.pause();
      await sleep(PAUSE);
      second.resume();
      await cluster.isWhole();
    },
  };

  try {
    for (let round = 1; round <= ROUNDS; round++)
      for (const [what, fault] of Object.entries(faults)) {
        await load.grants(GRANTS);
        await load.keep();
        say(`${what} (${round} of ${ROUNDS})`);
        await fault();
        await load.look();
      }
    await load.grants(GRANTS);
    await load.look();
    const conflicts = await cluster.conflicts();
    const history = await load.finish();
    const { grants, downgrades } = history;
    const leases = leasesOf(grants);
    return {
      violations: violationsOf(history),
      grants: leases.size,
      shared: leasesOf(grants.filter(({ share }) => share)).size,
      downgrades: leasesOf(downgrades).size,
      kept: [...leases].filter((lease) => lease.includes(' kept:')).length,
      conflicts,
      unknown: load.recorder.unknown,
    };
  } finally {
    await load.close();
  }
}

/** Each lease once, however often it was told of. */
const leasesOf = (told: ReadonlyArray<{ lockName: string; token: number }>) =>
  new Set(told.map(({ lockName, token }) => `${token} ${lockName}`));
