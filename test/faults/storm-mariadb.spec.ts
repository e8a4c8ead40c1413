import { afterAll, beforeAll, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeWithMariadb, startMariadb, type MariadbServer } from '../support/mariadb-server.js';
import { MariadbSession } from '../support/mariadb-session.js';
import { CuttingProxy } from './cutting-proxy.js';
import { CROWDED, Load } from './load.js';
import { mariadbLoad } from './mariadb-load.js';
import { PATIENCE, PAUSE, blow, pauseClients } from './storm.js';

describeWithMariadb('On MariaDB, the load', () => {
  let server: MariadbServer;
  let url: string;
  let proxy: CuttingProxy;
  let load: Load;

  beforeAll(async () => {
    server = await startMariadb();
    url = (await server.createDatabase()).url;
    proxy = await CuttingProxy.open(url);
    load = await Load.start(mariadbLoad([url, url, proxy.url]));
  });

  afterAll(async () => {
    await load.close();
    await proxy.close();
    await server.stop();
  });

  /** Cuts a connection whose grant the database is about to commit, or has just committed. */
  async function cut(): Promise<void> {
    await proxy.cutAnswerTo('row_version = CASE');
  }

  /** Holds up what one of the applications and the database say to each other; all of it arrives later. */
  async function partition(): Promise<void> {
    proxy.hold();
    await sleep(PAUSE);
    proxy.letThrough();
  }

  async function crash(): Promise<void> {
    await server.kill();
    await server.restart();
  }

  async function crashAfterGrant(): Promise<void> {
    await load.grants(1);
    await crash();
  }

  async function restart(): Promise<void> {
    await server.shutDown();
    await server.restart();
  }

  async function pauseDatabase(): Promise<void> {
    await server.pause();
    await sleep(PAUSE);
    server.resume();
  }

  /** Ends half of the connections, in the midst of whatever they do. */
  async function killConnections(): Promise<void> {
    const session = await MariadbSession.open(server.url);
    const connections = await session.query<{ id: number }>(
      'SELECT ID AS id FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND DB IS NOT NULL AND RAND() < 0.5',
    );
    // One that has ended by itself is none any more.
    for (const { id } of connections) await session.query(`KILL ${id}`).catch(() => undefined);
    await session.close();
  }

  /** Statements that want one of these locks wait until they are given up; those that don't must not. */
  async function lockRows(): Promise<void> {
    await load.crowd();
    const session = await MariadbSession.open(url);
    await session.query(
      `BEGIN; SELECT 1 FROM dblock_lock WHERE lock_name IN ('fault:0', 'fault:1', '${CROWDED[0]}') FOR UPDATE`,
    );
    const crowd = load.crowd();
    await sleep(PAUSE);
    await session.query('COMMIT');
    await session.close();
    await crowd;
  }

  const FAULTS = [
    crash,
    killConnections,
    lockRows,
    pauseDatabase,
    partition,
    restart,
    crashAfterGrant,
    pauseClients,
  ];

  it(
    'keeps the safety contract while the server crashes and stands still',
    async () => {
      await blow({ faults: FAULTS, fewestFaults: 6, before: cut }, load);
    },
    PATIENCE,
  );
});
