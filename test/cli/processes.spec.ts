import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { COMMAND_LINE, CommandLineProcess, runCommandLine } from '../support/command-line.js';
import { CommandLineScene, WAYS } from './scene.js';

/** As cron would start it: goes on until it is told that all is done. */
const NIGHTLY = `#!/bin/sh
set -eu
echo "begin $DB_LOCK_NAME" >> "$LOG"
echo working
read -r word
echo "end $word" >> "$LOG"
`;

/** Without what its user has in store for it. */
const BASH = ['bash', '--norc'];

/** What a shell calls the command line by. */
const DB_LOCK = COMMAND_LINE.map((word) => `'${word}'`).join(' ');

describe('db-lock as a process', () => {
  let scene: CommandLineScene;
  let directory: string;
  let script: string;
  let log: string;
  const processes: CommandLineProcess[] = [];

  beforeAll(async () => {
    scene = await CommandLineScene.open();
  });
  afterAll(() => scene[Symbol.asyncDispose]());
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'db-lock-processes-'));
    script = join(directory, 'nightly.sh');
    log = join(directory, 'log');
    await writeFile(script, NIGHTLY, { mode: 0o755 });
  });
  afterEach(async () => {
    await Promise.all(processes.splice(0).map((process) => process[Symbol.asyncDispose]()));
    await rm(directory, { recursive: true });
  });

  const start = (way: (typeof WAYS)[number], args: readonly string[], command?: readonly string[]) => {
    const environment = { ...scene.environment(way), LOG: log, TERM: 'xterm-256color' };
    const process = new CommandLineProcess(args, environment, command);
    processes.push(process);
    return process;
  };

  const logged = () => readFile(log, 'utf8');

  it.each(WAYS)('guards a script against a second copy of itself, %s', async (way) => {
    const name = `nightly ${way}`;
    const first = start(way, ['run', name, '--', script]);
    await first.prints('working\n');
    const second = start(way, ['run', name, '--', script]);
    expect(await second.ended).toBe(75);
    expect(second.stdout).toBe('');
    expect(await logged()).toBe(`begin ${name}\n`);
    first.say('well');
    expect(await first.ended).toBe(0);
    expect({ stdout: first.stdout, stderr: first.stderr }).toEqual({ stdout: 'working\n', stderr: '' });
    expect(await logged()).toBe(`begin ${name}\nend well\n`);
    expect((await scene.locks.inspect(name))!.state).toBe('released');
  });

  it('passes on the signal that it gets, and ends as the command does', async () => {
    const running = start('by a server', ['run', 'signalled', '--', script]);
    await running.prints('working\n');
    running.child.kill('SIGTERM');
    expect(await running.ended).toBe(143);
    await scene.is('signalled', 'released');
  });

  it('leaves a lock until its TTL when it is killed', async () => {
    const running = start('by a server', ['run', '--ttl', '1s', 'killed', '--', script]);
    await running.prints('working\n');
    const held = (await scene.locks.inspect('killed'))!;
    running.child.kill('SIGKILL');
    running.say('nothing'); // the script lives on, on the same standard input
    expect(await running.ended).toBe('SIGKILL');
    const next = ['run', '--wait', '1m', 'killed', '--', 'true'];
    expect((await scene.run('by a server', next)).code).toBe(0);
    const after = (await scene.locks.inspect('killed'))!;
    expect(after.fencingToken).toBeGreaterThan(held.fencingToken);
    expect(after.lockTime.getTime()).toBeGreaterThanOrEqual(held.expireTime.getTime());
  });

  it('lets a terminal send Ctrl-C to the command, once', async () => {
    await writeFile(log, '');
    const counter = `trap 'echo heard' INT; echo working; while [ -e ${log} ]; do sleep 0.02; done; exit 9`;
    const command = `${DB_LOCK} run terminal -- sh -c "${counter}"`;
    const terminal = start('by a server', [], ['script', '-qec', `exec ${command}`, '/dev/null']);
    await terminal.prints('working');
    terminal.child.stdin!.write('\x03');
    await terminal.prints('heard');
    await rm(log);
    expect(await terminal.ended).toBe(9);
    expect(terminal.stdout.match(/heard/g)).toHaveLength(1);
  });

  it('has colours on a terminal', async () => {
    await scene.hold('colourful');
    const terminal = start('by a server', [], ['script', '-qec', `exec ${DB_LOCK} list`, '/dev/null']);
    await terminal.ended;
    expect(terminal.stdout).toContain('\x1b[1mNAME');
    expect(terminal.stdout).toContain('\x1b[32mheld');
  });

  it('ends in peace when the reader of its pipe has read enough', async () => {
    await scene.service.query(
      `INSERT INTO dblock_lock (lock_name, token, lock_time, expire_time)
       SELECT repeat('long', 50) || number, number, now(), now() FROM generate_series(1, 3000) AS number`,
    );
    const pipe = `${DB_LOCK} list --prefix long | head -1; echo "\${PIPESTATUS[@]}"`;
    const shell = start('by a server', ['-c', pipe], BASH);
    await shell.ended;
    expect(shell.stderr).toBe('');
    expect(shell.stdout).toMatch(/^NAME .*\n0 0\n$/);
  });

  it('is completed by bash', async () => {
    const { stdout: completion } = await runCommandLine(['completion', 'bash'], {});
    const file = join(directory, 'completion.bash');
    await writeFile(file, completion);
    const complete = (...words: string[]) =>
      `COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _db_lock; echo "\${COMPREPLY[*]}"`;
    const lines = [
      'set -u',
      `. ${file}`,
      'complete -p db-lock',
      complete('db-lock', ''),
      complete('db-lock', 're'),
      complete('db-lock', 'run', '--mo'),
      complete('db-lock', 'run', '--mode', ''),
      complete('db-lock', 'run', '--ttl', ''),
      complete('db-lock', 'completion', ''),
      complete('db-lock', 'run', 'name', '--', 'compge'),
      complete('db-lock', 'run', 'name', '--', 'cat', '--'),
    ];
    const shell = start('by a server', ['-c', lines.join('\n')], BASH);
    expect(await shell.ended).toBe(0);
    expect(shell.stderr).toBe('');
    const commands =
      'run list get watch history force-release acquire renew release migrate sql ping completion help';
    expect(shell.stdout.split('\n')).toEqual([
      'complete -o default -F _db_lock db-lock',
      commands,
      'renew release',
      '--mode',
      'exclusive shared',
      '',
      'bash zsh fish',
      'compgen',
      '',
      '',
    ]);
  });
});
