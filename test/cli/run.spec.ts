import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CommandLine, runCommandLine } from '../support/command-line.js';
import { findFreePort } from '../support/free-port.js';
import { until } from '../support/patience.js';
import { areGone } from '../support/process-table.js';
import { CommandLineScene, PATIENCE, WAYS } from './scene.js';

/** Says that it runs, in a file, and goes on until it is ended; or the file is gone, with the test. */
const ENDLESS = 'exec 2>/dev/null; echo running >> "$FILE"; while [ -e "$FILE" ]; do sleep 0.02; done';

/** Renewed, and so found lost, within half a second; a slow machine has a second to spare. */
const SOON_RENEWED = '1500ms';

describe('db-lock run', () => {
  let scene: CommandLineScene;
  let directory: string;
  let file: string;

  beforeAll(async () => {
    scene = await CommandLineScene.open();
  });
  afterAll(() => scene[Symbol.asyncDispose]());
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'db-lock-run-'));
    file = join(directory, 'said');
  });
  afterEach(() => rm(directory, { recursive: true }));

  const said = () => readFile(file, 'utf8').catch(() => '');

  const says = (text: string) =>
    until(`it says ${text}`, PATIENCE, async () => (await said()).includes(text));

  const start = (args: readonly string[]) => scene.start('by a server', args, { FILE: file });

  describe.each(WAYS)('%s', (way) => {
    it('tells the command which lock it has, and under which token', async () => {
      const script = 'echo "$DB_LOCK_NAME $DB_LOCK_TOKEN" > "$FILE"';
      const ending = await scene.run(way, ['run', 'told', '--', 'sh', '-c', script], { FILE: file });
      expect(ending).toEqual({ code: 0, stdout: '', stderr: '' });
      const lock = await scene.locks.inspect('told');
      expect(await said()).toBe(`told ${lock!.fencingToken}\n`);
      expect(lock!.state).toBe('released');
    });

    it('ends as the command does', async () => {
      expect(await scene.run(way, ['run', 'code', '--', 'sh', '-c', 'exit 3'])).toMatchObject({ code: 3 });
      expect(await scene.run(way, ['run', 'code', '--', 'sh', '-c', 'kill -9 $$'])).toMatchObject({
        code: 137,
      });
    });

    it('ends with 75, or what it is told to, when the lock is busy, and does not run the command', async () => {
      await scene.hold(`busy ${way}`, 'somebody else');
      const command = ['--', 'sh', '-c', 'echo ran > "$FILE"'];
      const ending = await scene.run(way, ['run', `busy ${way}`, ...command], { FILE: file });
      expect(ending).toMatchObject({ code: 75, stdout: '' });
      expect(ending.stderr).toMatch(/^db-lock: Lock "busy .*" is held by "somebody else" until \S+Z\.\n$/);
      const told = await scene.run(way, ['run', '-E', '0', `busy ${way}`, ...command], { FILE: file });
      expect(told.code).toBe(0);
      expect(await said()).toBe('');
    });

    it.each([
      ['asks it to end', `trap 'echo asked >> "$FILE"; exit 0' TERM; ${ENDLESS}`, '1h', 'running\nasked\n'],
      ['ends it when it does not', `trap '' TERM; ${ENDLESS}`, '50ms', 'running\n'],
    ])('%s, and ends with 79, when the lease is lost', async (_, script, grace, saying) => {
      const name = `lost ${way} ${grace}`;
      const command = ['--', 'sh', '-c', script];
      const running = scene.start(way, ['run', '--ttl', SOON_RENEWED, '--grace', grace, name, ...command], {
        FILE: file,
      });
      await says('running');
      await scene.locks.desk.forceRelease({ lockName: name, actor: 'olga', reason: 'it hangs' });
      const { code, stderr } = await running.ended;
      expect(code).toBe(79);
      expect(await said()).toBe(saying);
      expect(stderr.split('\n').slice(0, 2)).toEqual([
        expect.stringContaining(`The lease of lock "${name}" is lost`),
        `db-lock: The command is ended: SIGTERM now, SIGKILL in ${grace}.`,
      ]);
      // What the store no longer knows was not released in vain.
      if (stderr.includes('the store no longer knows it'))
        expect(stderr).not.toContain('could not be released');
    });
  });

  it('ends all that the command has started when its lease is lost', async () => {
    const script = `(echo child $(exec sh -c 'echo $PPID') >> "$FILE"; ${ENDLESS}) & echo parent $$ >> "$FILE"; wait`;
    const running = start([
      'run',
      '--ttl',
      SOON_RENEWED,
      '--grace',
      '100ms',
      'family',
      '--',
      'sh',
      '-c',
      script,
    ]);
    for (const sign of ['child', 'parent', 'running']) await says(sign);
    await scene.locks.desk.forceRelease({ lockName: 'family', actor: 'olga', reason: 'it hangs' });
    expect((await running.ended).code).toBe(79);
    const pids = [...(await said()).matchAll(/\d+/g)].map(Number);
    expect(pids).toHaveLength(2);
    await until('all have ended', PATIENCE, () => areGone(pids));
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
    ['SIGQUIT', 131],
  ])('passes %s on to the command', async (signal, code) => {
    const running = start(['run', 'signalled', '--', 'sh', '-c', ENDLESS]);
    await says('running');
    running.signals.emit(signal);
    expect((await running.ended).code).toBe(code);
    await scene.is('signalled', 'released');
  });

  it('ends as the command does that heeds a signal in its own way', async () => {
    const running = start(['run', 'trap', '--', 'sh', '-c', `trap 'exit 7' TERM; ${ENDLESS}`]);
    await says('running');
    running.signals.emit('SIGTERM');
    expect((await running.ended).code).toBe(7);
  });

  it('leaves SIGINT to the terminal where there is one, which has sent it to the command, too', async () => {
    const running = new CommandLine(
      [
        'run',
        'terminal',
        '--',
        'sh',
        '-c',
        `trap 'echo heard >> "$FILE"' INT; trap 'exit 5' TERM; ${ENDLESS}`,
      ],
      { ...scene.environment('by a server'), FILE: file },
      { isOnTerminal: true },
    );
    await says('running');
    running.signals.emit('SIGINT');
    running.signals.emit('SIGTERM'); // comes after a SIGINT, had there been one
    expect((await running.ended).code).toBe(5);
    expect(await said()).toBe('running\n');
  });

  it('waits for a busy lock, and gives up with the signal that it gets', async () => {
    await scene.hold('waited for');
    const running = start(['run', '--wait', '1m', 'waited for', '--', 'sh', '-c', ENDLESS]);
    await scene.waitedFor('waited for');
    running.signals.emit('SIGTERM');
    expect(await running.ended).toEqual({ code: 143, stdout: '', stderr: '' });
    expect(await said()).toBe('');
  });

  it('lets as many run as the limit says', async () => {
    const limited = ['run', '--limit', '2', 'slots', '--', 'sh', '-c', ENDLESS];
    const both = [start(limited), start(limited)];
    await says('running\nrunning');
    expect(await scene.run('by a server', limited)).toMatchObject({ code: 75 });
    for (const running of both) running.signals.emit('SIGTERM');
    await Promise.all(both.map(({ ended }) => ended));
  });

  it('keeps the lock for --min-hold', async () => {
    await scene.run('by a server', ['run', '--ttl', '1h', '--min-hold', '1h', 'cron', '--', 'true']);
    expect(await scene.run('by a server', ['run', 'cron', '--', 'true'])).toMatchObject({ code: 75 });
  });

  it('hands names and arguments on as they are', async () => {
    const script = 'printf "%s|" "$DB_LOCK_NAME" "$@" > "$FILE"';
    await scene.run('by a server', ['run', '--', '-x\n', 'sh', '-c', script, '--', '--ttl', '--', ''], {
      FILE: file,
    });
    expect(await said()).toBe('-x\n|--ttl|--||');
  });

  it('ends as a shell does when the command can not be started, and releases the lock', async () => {
    const missing = await scene.run('by a server', ['run', 'start', '--', 'no-such-command']);
    expect(missing).toEqual({
      code: 127,
      stdout: '',
      stderr: 'db-lock: no-such-command: command not found\n',
    });
    await writeFile(file, 'not executable');
    const refused = await scene.run('by a server', ['run', 'start', '--', file]);
    expect(refused).toMatchObject({ code: 126, stderr: `db-lock: ${file}: permission denied\n` });
    expect((await scene.locks.inspect('start'))!.state).toBe('released');
  });

  it('ends with 69 when nobody answers, and does not run the command', async () => {
    const port = await findFreePort();
    const command = ['run', 'far', '--', 'sh', '-c', 'echo ran > "$FILE"'];
    for (const place of [
      { DB_LOCK_SERVER: `http://127.0.0.1:${port}` },
      { DATABASE_URL: `postgres://127.0.0.1:${port}/none` },
      { DATABASE_URL: `sqlite:${directory}/missing.db` },
    ]) {
      const { code, stderr } = await runCommandLine(command, { ...place, FILE: file });
      expect({ code, stderr }).toEqual({ code: 69, stderr: expect.stringMatching(/^db-lock: .+\n$/) });
    }
    expect(await said()).toBe('');
  });

  it.each([
    [['run', 'name', 'true'], 'What to run comes after "--"'],
    [['run', 'name'], "missing required argument 'command'"],
    [['run', 'name', 'true', '--', 'x'], 'What to run comes after "--"'],
    [['run', '--bogus', 'name', '--', 'true'], "unknown option '--bogus'"],
    [['run', '--ttl', 'soon', 'name', '--', 'true'], '--ttl must be whole milliseconds'],
    [['run', '--grace', '-1', 'name', '--', 'true'], '--grace must be whole milliseconds'],
    [['run', '--min-hold', '1h', 'name', '--', 'true'], '--min-hold must be at most the ttl'],
    [['run', '--limit', 'x', 'name', '--', 'true'], '--limit must be a whole number'],
    [['run', '--mode', 'odd', 'name', '--', 'true'], 'Allowed choices are exclusive, shared'],
    [['run', '--metadata', '{', 'name', '--', 'true'], '--metadata must be a JSON object'],
    [['run', '-E', '256', 'name', '--', 'true'], 'a whole number from 0 to 255'],
    [['run', '', '--', 'true'], 'NAME must be a string of 1 to 255 characters'],
  ])('ends with 64 when it is used wrongly: %j', async (args, complaint) => {
    const { code, stdout, stderr } = await scene.run('by a server', args);
    expect({ code, stdout }).toEqual({ code: 64, stdout: '' });
    expect(stderr).toMatch(/^db-lock: /);
    expect(stderr).toContain(complaint);
  });
});
