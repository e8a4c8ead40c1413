import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

const LOWEST = 20_000;
const HIGHEST = 32_000;

/** Each of jest's workers has ports of its own, with the processes that it starts; who is none of them has the first ones. */
const SLOTS = 8;
const WIDTH = Math.floor((HIGHEST - LOWEST + 1) / SLOTS);
const lowest = LOWEST + (Number(process.env['JEST_WORKER_ID'] ?? 0) % SLOTS) * WIDTH;

/** Another test run beside this one begins elsewhere. */
let next = randomInt(WIDTH);

/**
 * A port of 127.0.0.1 that nobody listens on, below the range from which the kernel takes the ports of
 * outgoing connections: no client can sit on it while its server restarts. This process gives it to nobody else before
 * all others of its own have had their turn, however late the server begins to listen.
 */
export async function findFreePort(): Promise<number> {
  for (;;) {
    const port = lowest + (next++ % WIDTH);
    if (await isFree(port)) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await once(server.listen(port, '127.0.0.1'), 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
