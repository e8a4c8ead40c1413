import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadSystem } from './systems.js';
import { letWait } from './waiters.js';

/** How long a system may take to close, in ms. */
const CLOSING = 2_000;

/** @type {import('./crew.js').Task} */
const task = JSON.parse(process.argv[2]);
const tell = (/** @type {unknown} */ message) => process.send?.(message);
process.once('disconnect', () => process.exit());

const { open } = await loadSystem(task.system);
const system = await open(task);
const release = await system.acquire();
await release();

tell('ready');
const [schedule] = await once(process, 'message');
tell(await letWait(system, task, schedule));

await once(process, 'message');
await Promise.race([system.close(), sleep(CLOSING)]);
process.exit();
