import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { StandaloneServer } from '../support/standalone-server.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

/** A time, a level and a message. */
const LINE = /^\[\d\d:\d\d:\d\d\] (?:DEBUG|INFO|WARN): \S/;

/** A colour begins or ends. */
// eslint-disable-next-line no-control-regex
const COLOUR = /\x1b\[\d+m/g;

describe('the standalone server on a terminal', () => {
  let database: TestDatabase;
  let server: StandaloneServer | undefined;

  beforeAll(async () => {
    database = await createTestDatabase();
  });

  afterEach(() => server?.end('SIGKILL'));

  afterAll(() => database.drop());

  const start = async (environment: Record<string, string>) => {
    server = await StandaloneServer.startOnTerminal({
      DATABASE_URL: database.url,
      DB_LOCK_CREATE_TABLES: 'true',
      TERM: 'xterm-256color',
      ...environment,
    });
    return server;
  };

  it('prints lines for people around its banner, in colours, and no routes', async () => {
    const { stdout } = await start({});
    expect(stdout).toMatch(COLOUR);
    const plain = stdout.replaceAll(COLOUR, '');
    const [before, banner] = plain.split(/^ {2}nestjs-db-lock: the lock server is ready/m);
    const lines = before!.trim().split(/\r?\n/);
    for (const line of lines) expect(line).toMatch(LINE);
    expect(lines.length).toBeLessThan(10);
    expect(banner).toContain(`${server!.origin}/dblock/admin`);
    expect(plain).not.toContain('Mapped {');
    expect(plain).not.toContain('{"');

    expect(await server!.interrupt()).toEqual({ code: 0, signal: null });
    expect(server!.stdout.replaceAll(COLOUR, '')).toMatch(/\] INFO: Shutting down\./);
  });

  it('tells the routes where LOG_LEVEL is debug, and shows no colours where NO_COLOR is set', async () => {
    const { stdout } = await start({ LOG_LEVEL: 'debug', NO_COLOR: '1' });
    expect(stdout).not.toMatch(COLOUR);
    expect(stdout).toMatch(/^\[\S+\] DEBUG: RouterExplorer: Mapped \{\/dblock\/locks, GET\} route/m);
  });
});
