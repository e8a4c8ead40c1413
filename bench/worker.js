import { on } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { countStatements } from './loads/statements.js';
import { loadSystem } from './systems.js';

/**
 * One process of a contender: opens its systems, does what it is told, reports, and ends with the process that started it.
 *
 * @typedef {object} Task
 * @property {Array<{ system: string, place: import('./systems.js').Place }>} openings
 * @property {number} member - which of the contender's processes this is
 * @property {boolean} counts - statements
 */

/** How long a system may take to close, in ms. */
const CLOSING = 2_000;

/** @type {Task} */
const { openings, member, counts } = JSON.parse(process.argv[2]);
const tell = (/** @type {any} */ message) => process.send?.(message);
process.once('disconnect', () => process.exit());

if (counts) countStatements();
const orders = on(process, 'message', { close: ['disconnect'] });
/** @type {import('./systems.js').System[]} */
const systems = [];
for (const { system, place } of openings) systems.push(await (await loadSystem(system)).open(place));

tell('ready');
for await (const [order] of orders) {
  if (order === 'close') break;
  const { run } = await import(`./loads/${order.load}.js`);
  tell((await run(systems, order.options, member)) ?? null);
}

await Promise.race([Promise.all(systems.map((system) => system.close())), sleep(CLOSING)]);
process.exit();
