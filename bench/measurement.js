import { cpuOf } from './cpu.js';
import { quantilesOf } from './statistics.js';

/**
 * What can take a lock and give it back.
 *
 * @typedef {object} System
 * @property {string} name
 * @property {(lockName: string) => Promise<void>} cycle - rejects when the lock is busy
 * @property {() => Promise<void>} close
 */

/**
 * @typedef {object} Measurement
 * @property {string} system
 * @property {number} callers
 * @property {number} cyclesPerSecond
 * @property {number} p50 - of the latency of a cycle, in ms
 * @property {number} p99
 * @property {number} nodeCpu - this process's, in µs a cycle
 * @property {number | undefined} databaseCpu - likewise, where its processes can be seen
 */

/** Locks in use, shared out among the callers so that nobody contends. */
const NAMES = Array.from({ length: 10_000 }, (_, index) => `bench:${index}`);

/**
 * Lets so many callers take and release locks, each as fast as it can.
 *
 * @param {System} system
 * @param {number} callers
 * @param {number} seconds
 * @param {import('./database.js').Database} database
 * @returns {Promise<Measurement>}
 */
export async function measure(system, callers, seconds, database) {
  /** @type {number[]} */
  const latencies = [];
  const databaseBefore = cpuOf(await database.pids());
  const nodeBefore = process.cpuUsage();
  const start = performance.now();
  const end = start + seconds * 1000;

  const call = async (/** @type {number} */ first) => {
    for (let next = first; performance.now() < end; next += callers) {
      const sent = performance.now();
      await system.cycle(NAMES[next % NAMES.length]);
      latencies.push(performance.now() - sent);
    }
  };
  await Promise.all(Array.from({ length: callers }, (_, index) => call(index)));

  const took = performance.now() - start;
  const node = process.cpuUsage(nodeBefore);
  const databaseAfter = cpuOf(await database.pids());
  const quantile = quantilesOf(latencies);
  return {
    system: system.name,
    callers,
    cyclesPerSecond: (latencies.length / took) * 1000,
    p50: quantile(0.5),
    p99: quantile(0.99),
    nodeCpu: (node.user + node.system) / latencies.length,
    databaseCpu:
      databaseBefore === undefined || databaseAfter === undefined
        ? undefined
        : (databaseAfter - databaseBefore) / latencies.length,
  };
}
