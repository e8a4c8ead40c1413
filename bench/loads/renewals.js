import { Tally } from './tally.js';

/**
 * Renews many leases at once, again and again.
 *
 * @param {import('../systems.js').System[]} systems - one
 * @param {{ lockNames: string[], seconds: number }} options
 */
export async function run([{ tryAcquire }], { lockNames, seconds }) {
  const tally = new Tally();
  const leases = await Promise.all(
    lockNames.map(async (lockName) => {
      const lease = await tryAcquire?.(lockName);
      if (!lease?.renew) throw new Error(`${lockName} was not granted, or can't be renewed.`);
      return /** @type {Required<import('../systems.js').Held>} */ (lease);
    }),
  );

  const renewAll = async () => {
    const start = performance.now();
    const outcomes = await Promise.allSettled(leases.map((lease) => lease.renew()));
    tally.latencies.whole.push(performance.now() - start);
    for (const outcome of outcomes)
      if (outcome.status === 'fulfilled') tally.count++;
      else tally.fail(outcome.reason);
  };

  await tally.during(async () => {
    const end = performance.now() + seconds * 1000;
    while (performance.now() < end) await renewAll();
  });
  await Promise.all(leases.map((lease) => lease.release()));
  return tally.report();
}
