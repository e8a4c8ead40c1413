import { setTimeout as sleep } from 'node:timers/promises';
import { kept } from './keeping.js';

/**
 * Does nothing but keep what it has.
 *
 * @param {unknown} _systems
 * @param {{ seconds: number }} options
 * @returns {Promise<{ nodeCpu: number, took: number, lost: number }>} CPU of this process in µs, time in ms
 */
export async function run(_systems, { seconds }) {
  const cpuBefore = process.cpuUsage();
  const start = performance.now();
  await sleep(seconds * 1000);
  const took = performance.now() - start;
  const { user, system } = process.cpuUsage(cpuBefore);
  return { nodeCpu: user + system, took, lost: kept.filter(({ timeLeft }) => timeLeft === 0).length };
}
