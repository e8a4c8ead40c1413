import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sqlProgram } from '../../libs/db-lock/src/cli/program.js';
import { CommandLine, runCommandLine } from '../support/command-line.js';
import { until } from '../support/patience.js';
import { createTestDatabase } from '../support/test-database.js';
import { CommandLineScene, PATIENCE, WAYS, type WayName } from './scene.js';

/** What must not reach a terminal: colours, and the title of a window. */
const HOSTILE = 'red\x1b[31m\x9b1m\nline\u202E"quoted"';

const linesOf = (text: string) => text.split('\n').slice(0, -1);

const jsonOf = (text: string) => linesOf(text).map((line) => JSON.parse(line) as Record<string, unknown>);

describe('db-lock', () => {
  let scene: CommandLineScene;

  beforeAll(async () => {
    scene = await CommandLineScene.open();
  });
  afterAll(() => scene[Symbol.asyncDispose]());

  /** All that it has printed when it has printed this. */
  const printed = async ({ stdout }: CommandLine, text: string) => {
    let all = '';
    stdout.on('data', (chunk: Buffer) => (all += chunk.toString()));
    await until(`it prints ${text}`, PATIENCE, () => all.includes(text));
    return all;
  };

  const acquire = async (way: WayName, ...args: string[]) => {
    const { code, stdout } = await scene.run(way, ['acquire', '--ttl', '1m', ...args]);
    expect(code).toBe(0);
    return stdout.trim();
  };

  describe.each(WAYS)('%s', (way) => {
    const name = (text: string) => `${text}, ${way}`;

    it('lists locks in columns', async () => {
      await scene.hold(name('list:a'), 'worker-1');
      await scene.hold(name('list:表'), 'worker-2', 7_200_000);
      const { code, stdout } = await scene.run(way, ['list', '--prefix', 'list:', '--search', way]);
      expect(code).toBe(0);
      const [header, first, second, ...others] = linesOf(stdout);
      expect(others).toEqual([]);
      expect(header).toMatch(/^NAME +STATE +HELD BY +SINCE +LEFT +WAITING +TOKEN$/);
      expect(first).toMatch(
        new RegExp(`^${name('list:a')} +held +worker-1 +\\d+m?s +(?:\\d+s|1m) +– +\\d+$`),
      );
      expect(second).toContain('2h');
      // A Chinese character is as wide as two others.
      expect(second!.indexOf('held')).toBe(header!.indexOf('STATE') - 1);
    });

    it('lists locks as JSON, one a line, as many as wanted', async () => {
      for (const letter of ['a', 'b', 'c']) await scene.hold(name(`json:${letter}`));
      const { stdout } = await scene.run(way, [
        'list',
        '--json',
        '--prefix',
        'json:',
        '--search',
        way,
        '--limit',
        '2',
      ]);
      expect(jsonOf(stdout)).toEqual([
        expect.objectContaining({ lockName: name('json:a'), state: 'held', workerName: 'somebody' }),
        expect.objectContaining({ lockName: name('json:b') }),
      ]);
    });

    it('lists more locks than are read at once', async () => {
      if (way === 'by a server')
        await scene.service.query(
          `INSERT INTO dblock_lock (lock_name, token, lock_time, expire_time)
           SELECT 'many:' || number, number, now(), now() FROM generate_series(1, 450) AS number`,
        );
      const { stdout } = await scene.run(way, ['list', '--prefix', 'many:', '--state', 'released']);
      expect(linesOf(stdout)).toHaveLength(451);
      expect(new Set(linesOf(stdout)).size).toBe(451);
    });

    it('shows one lock, with those who share it and those who wait', async () => {
      const lockName = name('get');
      for (const workerName of ['one', 'other'])
        await scene.locks.acquire({ lockName, workerName, grantId: randomUUID(), ttl: 60_000, limit: 2 });
      const waiting = scene.start(way, [
        'acquire',
        '--ttl',
        '1m',
        '--wait',
        '1m',
        '--worker',
        'patient',
        lockName,
      ]);
      await scene.waitedFor(lockName);
      const { code, stdout } = await scene.run(way, ['get', lockName]);
      expect(code).toBe(0);
      expect(stdout).toMatch(/^name {6}get, /);
      expect(stdout).toMatch(/^state {5}shared$/m);
      expect(stdout).toMatch(/^held by {3}other and 1 more$/m);
      expect(stdout).toMatch(/^HOLDER +SINCE +LEFT +PERMITS +TOKEN\none +\S+ +\S+ +1 of 2 +\d+$/m);
      expect(stdout).toMatch(/^# +WAITING +SINCE +MODE\n1 +patient +\S+ +exclusive$/m);
      const json = jsonOf((await scene.run(way, ['get', '--json', lockName])).stdout);
      expect(json).toMatchObject([{ lockName, holderCount: 2, queue: [{ workerName: 'patient' }] }]);
      waiting.signals.emit('SIGINT');
      expect(await waiting.ended).toEqual({ code: 130, stdout: '', stderr: '' });
    });

    it('knows when there is no such lock', async () => {
      const told = 'There is no lock "none".';
      expect(await scene.run(way, ['get', 'none'])).toEqual({
        code: 1,
        stdout: '',
        stderr: `db-lock: ${told}\n`,
      });
      const { code, stderr } = await scene.run(way, ['get', '--json', 'none']);
      expect({ code, said: JSON.parse(stderr) }).toEqual({ code: 1, said: { code: 'NO', message: told } });
    });

    it('acquires for scripts, which renew and release by the key that was printed', async () => {
      const lockName = name('script');
      const grantId = await acquire(way, lockName);
      expect(grantId).toMatch(/^[\da-f-]{36}$/);
      const held = (await scene.locks.inspect(lockName))!;
      expect(held.state).toBe('held');
      expect((await scene.run(way, ['acquire', '--ttl', '1m', lockName])).code).toBe(75);

      const key = { DB_LOCK_GRANT_ID: grantId };
      const renewed = await scene.run(way, ['renew', '--ttl', '2h', lockName], key);
      expect(renewed).toMatchObject({ code: 0, stdout: expect.stringContaining('is held until') });
      const { expireTime } = (await scene.locks.inspect(lockName))!;
      expect(expireTime.getTime()).toBeGreaterThan(held.expireTime.getTime() + 3_600_000);

      expect(await scene.run(way, ['release', lockName], key)).toMatchObject({ code: 0, stderr: '' });
      expect((await scene.locks.inspect(lockName))!.state).toBe('released');
      for (const args of [['renew', '--ttl', '1m'], ['release']])
        expect(await scene.run(way, [...args, lockName], key)).toMatchObject({
          code: 79,
          stderr: expect.stringMatching(/^db-lock: The lease of lock .* is lost/),
        });
    });

    it('acquires a shared lease, tells all of it as JSON, and keeps it for --min-hold', async () => {
      const lockName = name('shared');
      const printed = await acquire(way, '--json', '--limit', '3', '--metadata', '{"why":"x"}', lockName);
      const lease = JSON.parse(printed) as Record<string, string>;
      expect(lease).toMatchObject({ lockName, mode: 'shared', limit: 3, permits: 1 });
      expect((await scene.locks.inspect(lockName))!.metadata).toEqual({ why: 'x' });
      const key = { DB_LOCK_GRANT_ID: lease['grantId']! };
      await scene.run(way, ['release', '--min-hold', '1h', lockName], key);
      expect((await scene.run(way, ['acquire', '--ttl', '1m', lockName])).code).toBe(75);
    });

    it('shows no grantId but to who has acquired', async () => {
      const lockName = name('secret');
      const grantId = await acquire(way, lockName);
      for (const args of [['list'], ['get', lockName], ['history', lockName], ['list', '--json']]) {
        const { stdout, stderr } = await scene.run(way, args);
        expect(stdout + stderr).not.toContain(grantId);
      }
    });

    it('frees a lock by force, and shows what happened to it', async () => {
      const lockName = name('forced');
      await scene.hold(lockName, 'hung');
      const { fencingToken } = (await scene.locks.inspect(lockName))!;
      const args = ['force-release', lockName, '--reason', 'its host is gone'];
      expect(await scene.run(way, [...args, '--token', '1'])).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('has changed hands'),
      });
      expect(await scene.run(way, [...args, '--token', String(fencingToken)])).toEqual({
        code: 0,
        stdout: `${lockName} is taken from hung, token ${fencingToken}.\nThe old holder may still be running.\n`,
        stderr: '',
      });
      expect(await scene.run(way, args)).toMatchObject({ code: 0, stdout: `Nobody held ${lockName}.\n` });

      const history = await scene.run(way, ['history', lockName]);
      const [header, forced] = linesOf(history.stdout);
      expect(header).toMatch(/^TIME +EVENT +WORKER +TOKEN +ACTOR +REASON$/);
      expect(forced).toMatch(/^\S+Z +forced +hung +\d+ +\S+ +its host is gone$/);
      const json = await scene.run(way, ['history', '--json', '--limit', '1', lockName]);
      expect(jsonOf(json.stdout)).toMatchObject([
        { event: 'forced', actor: way === 'by a server' ? 'admin' : expect.stringContaining('@') },
      ]);
    });

    it('shows locks as they change, until nobody reads any more', async () => {
      const lockName = name('watched');
      await scene.hold(lockName, 'first');
      const watching = scene.start(way, ['watch', '--json', lockName, name('unheard of')]);
      await printed(watching, '"first"');
      await scene.locks.desk.forceRelease({ lockName, actor: 'olga', reason: 'to see it' });
      await printed(watching, '"released"');
      watching.stdout.destroy();
      expect(await watching.ended).toMatchObject({ code: 0, stderr: '' });
    });

    it('spells out what a terminal must not see', async () => {
      await scene.hold(`${name('hostile')}${HOSTILE}`, HOSTILE);
      for (const args of [['list'], ['list', '--json'], ['get', `${name('hostile')}${HOSTILE}`]]) {
        const { stdout } = await scene.run(way, args);
        // eslint-disable-next-line no-control-regex
        expect(stdout).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
        expect(stdout).toContain('red\\u001b[31m\\u009b1m\\nline\\u202e\\"quoted\\"');
      }
      const busy = await scene.run(way, ['acquire', '--ttl', '1m', `${name('hostile')}${HOSTILE}`]);
      expect(busy).toMatchObject({
        code: 75,
        stderr: expect.stringContaining('is held by "red\\u001b[31m\\u009b1m\\nline\\u202e'),
      });
      const [found] = jsonOf(
        (await scene.run(way, ['list', '--json', '--search', 'hostile', '--limit', '1'])).stdout,
      );
      expect(found!['workerName']).toBe(HOSTILE);
    });

    it('sees whether the locks can be reached', async () => {
      const { code, stdout } = await scene.run(way, ['ping']);
      expect(code).toBe(0);
      expect(stdout).toMatch(/ answers, after \d+ ms\.\n$/);
      expect(jsonOf((await scene.run(way, ['ping', '--json'])).stdout)).toEqual([
        { place: expect.any(String), milliseconds: expect.any(Number) },
      ]);
    });
  });

  it('prints no password', async () => {
    const url = new URL(scene.service.databaseUrl);
    url.password ||= 'sesame';
    const { code, stdout } = await runCommandLine(['ping'], { DATABASE_URL: url.href });
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.not.stringContaining(url.password) });
  });

  it('tells who is not let in', async () => {
    const { DB_LOCK_SERVER } = scene.environment('by a server');
    for (const args of [['list'], ['run', 'name', '--', 'true'], ['history', 'name'], ['watch']])
      expect(await runCommandLine(args, { DB_LOCK_SERVER })).toMatchObject({
        code: 77,
        stderr: expect.stringContaining('check DB_LOCK_API_TOKEN'),
      });
  });

  it('makes the tables that it lacks', async () => {
    const database = await createTestDatabase();
    const environment = { DATABASE_URL: database.url, DB_LOCK_FEATURE: 'billing' };
    const lacking = await runCommandLine(['list'], environment);
    expect(lacking).toMatchObject({
      code: 78,
      stderr: expect.stringMatching(
        /^db-lock: The table "billing_lock" does not exist. db-lock migrate makes it/,
      ),
    });
    expect(await runCommandLine(['migrate'], environment)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/ has the tables of billing\.\n$/),
    });
    expect(await runCommandLine(['run', 'first', '--', 'true'], environment)).toMatchObject({ code: 0 });
    await database.drop();
  });

  it('works in a file of SQLite', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'db-lock-cli-'));
    const at = ['--database', `sqlite:${directory}/locks.db`];
    expect((await runCommandLine(['migrate', ...at], {})).code).toBe(0);
    expect((await runCommandLine(['acquire', '--ttl', '1m', ...at, 'here'], {})).code).toBe(0);
    expect((await runCommandLine(['run', ...at, 'here', '--', 'true'], {})).code).toBe(75);
    expect((await runCommandLine(['list', ...at], {})).stdout).toContain('here');
    await rm(directory, { recursive: true });
  });

  it('prints the SQL for whatever database', async () => {
    const sql = async (...args: string[]) => (await runCommandLine(['sql', ...args], {})).stdout;
    expect(await sql('--feature', 'billing')).toContain('CREATE TABLE IF NOT EXISTS "billing_lock"');
    expect(await sql('--database', 'mysql')).toContain('utf8mb4_0900_bin');
    expect(await sql('--database', 'mysql://somebody@host/name')).toBe(await sql('--database', 'mysql'));
    expect(await runCommandLine(['sql', '--database', 'oracle'], {})).toMatchObject({ code: 64 });
    const [json] = jsonOf(await sql('--json', '--feature', 'billing'));
    expect(json).toEqual({ sql: await sql('--feature', 'billing') });
  });

  it('prints it as db-lock-sql, too, which ends with 2 when it is used wrongly', async () => {
    const sql = (...args: string[]) => new CommandLine(args, {}, {}, { make: sqlProgram, usage: 2 }).ended;
    const { stdout } = await runCommandLine(['sql', '--feature', 'billing'], {});
    expect(await sql('--feature', 'billing')).toEqual({ code: 0, stdout, stderr: '' });
    expect(await sql('--bogus')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^db-lock-sql: unknown/),
    });
    expect(await sql('--feature', 'No')).toMatchObject({ code: 2, stdout: '' });
  });

  it.each([
    [['list'], {}, 'Where are the locks?'],
    [['list', '--server', 'x', '--database', 'y'], {}, 'drop one of them'],
    [['list', '--server', 'locks:3000'], {}, '--server must be an http or https address'],
    [['list'], { DB_LOCK_SERVER: 'locks' }, 'DB_LOCK_SERVER must be an http or https address'],
    [['list', '--server', 'http://me:secret@locks'], {}, '--server must hold no credentials'],
    [['list', '--database', 'postgres://me:secret@host/name'], {}, '--database must hold no password'],
    [['list', '--database', 'oracle://host/name'], {}, '--database must be an address such as'],
    [['list', '--database', 'sqlite://host/locks.db'], {}, '--database must be an address such as'],
    [['list', '--server', 'http://locks/here', '--feature', 'there'], {}, 'so does --feature'],
    [['list', '--server', 'http://locks', '--schema', 'there'], {}, 'are about a database'],
    [['list', '--database', 'sqlite:x', '--feature', 'No'], {}, '--feature: "No" must be 1 to 40'],
    [['list', '--limit', '0'], {}, '--limit must be a whole number'],
    [['migrate', '--bogus'], {}, "unknown option '--bogus'"],
    [['migrate'], { DB_LOCK_SERVER: 'http://locks' }, 'migrate works on a database'],
    [['renew', 'name', '--ttl', '1m'], { DB_LOCK_SERVER: 'http://locks' }, 'DB_LOCK_GRANT_ID must be set'],
    [
      ['release', 'name'],
      { DB_LOCK_SERVER: 'http://locks', DB_LOCK_GRANT_ID: 'x' },
      'DB_LOCK_GRANT_ID must be a UUID',
    ],
    [['acquire', 'name'], {}, "required option '--ttl <duration>' not specified"],
    [['force-release', 'name'], {}, "required option '--reason <text>' not specified"],
    [['lits'], {}, '(Did you mean list?)'],
    [['completion', 'tcsh'], {}, 'Allowed choices are bash, zsh, fish'],
  ])('ends with 64 when it is used wrongly: %j %j', async (args, environment, complaint) => {
    const { code, stdout, stderr } = await runCommandLine(args, environment);
    expect({ code, stdout }).toEqual({ code: 64, stdout: '' });
    expect(stderr).toMatch(/^db-lock: /);
    expect(stderr).toContain(complaint);
    expect(stderr).not.toContain('secret');
  });

  it('says how it is used', async () => {
    const { code, stdout } = await runCommandLine(['--help'], {});
    expect(code).toBe(0);
    for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${command} `, 'm'));
    expect(stdout).toContain('Examples:');
    for (const command of COMMANDS) {
      const help = await runCommandLine([command, '--help'], {});
      expect(help).toMatchObject({ code: 0, stderr: '' });
      expect(help.stdout).toMatch(new RegExp(`^Usage: db-lock ${command} `));
    }
    const nothing = await runCommandLine([], {});
    expect(nothing).toEqual({ code: 64, stdout: '', stderr: stdout });
    expect((await runCommandLine(['--version'], {})).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it.each([
    ['zsh', (option: string) => `'${option}[`],
    ['fish', (option: string) => `-l ${option.slice(2)} `],
  ])('lets %s complete all of its commands and options', async (shell, has) => {
    const { stdout: completion } = await runCommandLine(['completion', shell], {});
    for (const command of COMMANDS) {
      const { stdout: help } = await runCommandLine([command, '--help'], {});
      expect(completion).toContain(command);
      for (const [, option] of help.matchAll(/^ +(?:-\w, )?(--[a-z-]+)/gm))
        expect(completion).toContain(has(option!));
    }
    expect(completion).toContain('bash zsh fish');
  });
});

const COMMANDS = [
  'run',
  'list',
  'get',
  'watch',
  'history',
  'force-release',
  'acquire',
  'renew',
  'release',
  'migrate',
  'sql',
  'ping',
  'completion',
];
