import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFreePort } from '#support/free-port';

const PORT_ATTEMPTS = 5;

interface StartedServer {
  stop(): Promise<void>;
}

/**
 * Starts a server in a new directory, on a free port; on another one where somebody else was faster to take it.
 *
 * @param name - what the directory is named after
 * @param lostTheRace - what it says in its error then; undefined where its port is given
 */
export async function startOnFreePort<Server extends StartedServer>(
  name: string,
  lostTheRace: string | undefined,
  make: (home: string, port: number) => Server,
  start: (server: Server) => Promise<void>,
): Promise<Server> {
  for (let attempt = 1; ; attempt++) {
    const server = make(await mkdtemp(join(tmpdir(), `db-lock-${name}-`)), await findFreePort());
    try {
      await start(server);
      return server;
    } catch (error) {
      await server.stop();
      const isRaceLost = lostTheRace !== undefined && String(error).includes(lostTheRace);
      if (!isRaceLost || attempt === PORT_ATTEMPTS) throw error;
    }
  }
}
