import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Looks every 20 ms until `condition` holds.
 *
 * @param what - what is awaited, as the error message names it
 * @param patienceMs - milliseconds after which it gives up
 * @throws Error when the condition does not hold in time
 */
export async function until(
  what: string,
  patienceMs: number,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`Waited ${patienceMs} ms in vain: ${what}`);
    await sleep(20);
  }
}
