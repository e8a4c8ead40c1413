import { Command, CommanderError } from 'commander';
import { styleText } from 'node:util';
import { addAcquire } from './commands/acquire.js';
import { addCompletion } from './commands/completion.js';
import { addForceRelease } from './commands/force-release.js';
import { addGet } from './commands/get.js';
import { addHistory } from './commands/history.js';
import { addList } from './commands/list.js';
import { addMigrate } from './commands/migrate.js';
import { addPing } from './commands/ping.js';
import { addRelease } from './commands/release.js';
import { addRenew } from './commands/renew.js';
import { addRun } from './commands/run.js';
import { addSql, withSql } from './commands/sql.js';
import { addWatch } from './commands/watch.js';
import { EXIT } from './exit-codes.js';
import { Session } from './session.js';
import type { Screen, Surroundings } from './surroundings.js';
import { version } from './version.js';

const EXAMPLES = `
Examples:
  db-lock run nightly -- ./nightly.sh
  db-lock list --state held
  db-lock watch nightly
  db-lock force-release nightly --reason 'its host is gone'

Secrets come by the environment: DB_LOCK_API_TOKEN for a server, and for its
admin (watch, history, force-release) DB_LOCK_ADMIN_PASSWORD; the password of a
database in DATABASE_URL.`;

/** `db-lock`. */
export function lockProgram(session: Session): Command {
  const program = plain(new Command('db-lock'), session.around)
    .description('Named locks, from a shell: run commands under them, look at them, free them.')
    .version(version(), '-V, --version', 'print the version')
    .enablePositionalOptions()
    .addHelpText('after', EXAMPLES);
  program.commandsGroup('Under a lock:');
  addRun(program, session);
  program.commandsGroup('Look:');
  addList(program, session);
  addGet(program, session);
  addWatch(program, session);
  addHistory(program, session);
  program.commandsGroup('Act:');
  addForceRelease(program, session);
  program.commandsGroup('In scripts:');
  addAcquire(program, session);
  addRenew(program, session);
  addRelease(program, session);
  program.commandsGroup('Set up:');
  addMigrate(program, session);
  addSql(program, session);
  addPing(program, session);
  addCompletion(program, session);
  return program.helpCommand('help [command]', 'print the help of a command');
}

/** `db-lock-sql`. */
export const sqlProgram = (session: Session): Command =>
  withSql(plain(new Command('db-lock-sql'), session.around), session);

/**
 * Does what the arguments say.
 * @param makeProgram - which program it is
 * @param usage - what to end with when they say nothing that can be
 * @returns what to end with
 */
export async function runProgram(
  makeProgram: (session: Session) => Command,
  args: readonly string[],
  around: Surroundings,
  usage: number = EXIT.usage,
): Promise<number> {
  using session = new Session(around);
  try {
    await makeProgram(session).parseAsync(args, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : usage;
    session.fail(error);
    if (session.exitCode === EXIT.usage) return usage;
  }
  return session.exitCode;
}

/** Prints where it is told to, and never ends the process. */
function plain(program: Command, { stdout, stderr }: Surroundings): Command {
  return program
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, `${program.name()}: `)),
      getOutHelpWidth: () => stdout.columns ?? 80,
      getErrHelpWidth: () => stderr.columns ?? 80,
      getOutHasColors: () => hasColours(stdout),
      getErrHasColors: () => hasColours(stderr),
    })
    .configureHelp({
      styleTitle: (text) => styleText('bold', text, { validateStream: false }),
      subcommandTerm: (command) => `${command.name()} ${command.usage().replace('[options]', '').trim()}`,
    })
    .helpOption('-h, --help', 'print this help')
    .showHelpAfterError(`Try ${program.name()} --help.`)
    .exitOverride();
}

/** Whether styleText would colour it: it knows of NO_COLOR, and of terminals that have none. */
const hasColours = (stream: Screen): boolean => styleText('bold', 'x', { stream }) !== 'x';
