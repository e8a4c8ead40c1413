import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { runCommandLine } from '../support/command-line.js';
import {
  createMariadbDatabase,
  describeWithMariadb,
  type MariadbDatabase,
} from '../support/mariadb-server.js';
import { StandaloneServer } from '../support/standalone-server.js';
import { json, keepsTheContract } from './contract.js';

describeWithMariadb('the standalone server on a MariaDB', () => {
  let database: MariadbDatabase;
  let server: StandaloneServer;

  const start = (environment: Record<string, string> = {}) =>
    StandaloneServer.start({ DATABASE_URL: database.url, ...environment });

  beforeAll(async () => {
    database = await createMariadbDatabase();
    server = await start({ DB_LOCK_CREATE_TABLES: 'true' });
  });

  afterAll(async () => {
    await server.end();
    await database.drop();
  });

  it('tells which database it is, and no password', () => {
    const { protocol, host } = new URL(database.url);
    const name = protocol === 'mysql:' ? 'MySQL' : 'MariaDB';
    expect(server.stderr).toContain(`Database   ${name} at ${host}\n`);
  });

  keepsTheContract(() => server);

  it('shares its locks with another server', async () => {
    await using second = await start();
    const path = '/dblock/locks/shared/lease';
    expect((await server.call(path, json({ ttl: '1h', workerName: 'first' }))).status).toBe(201);
    expect(await second.call(path, json({ ttl: '1h' }))).toMatchObject({
      status: 409,
      body: { holder: { workerName: 'first' } },
    });
  });

  it('shares them with a command line that goes straight to the database', async () => {
    const environment = { DATABASE_URL: database.url };
    const acquired = await runCommandLine(['acquire', '--ttl', '1h', 'by hand'], environment);
    expect(acquired).toMatchObject({ code: 0, stderr: '' });
    const path = `/dblock/locks/${encodeURIComponent('by hand')}/lease`;
    expect((await server.call(path, json({ ttl: '1h' }))).status).toBe(409);
    Logger.overrideLogger(['error', 'fatal']); // the command line has set its own
  });

  it('does not start without its tables, and says how they are made', async () => {
    const empty = await createMariadbDatabase();
    const refused = await StandaloneServer.start({ DATABASE_URL: empty.url });
    expect(await refused.ended()).toEqual({ code: 1, signal: null });
    expect(refused.stderr).toContain('Set DB_LOCK_CREATE_TABLES=true');
    await empty.drop();
  });

  it('answers 503 while its database is down', async () => {
    const gone = await createMariadbDatabase();
    await using lonely = await StandaloneServer.start({
      DATABASE_URL: gone.url,
      DB_LOCK_CREATE_TABLES: 'true',
    });
    await gone.drop();
    expect(await lonely.call('/dblock/locks/job/lease', json({ ttl: '1s' }))).toMatchObject({
      status: 503,
      body: { code: 'STORE_UNAVAILABLE' },
    });
  });
});
