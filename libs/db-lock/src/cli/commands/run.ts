import { Command, InvalidArgumentError, type ParseOptionsResult } from 'commander';
import { UsageError } from '../errors.js';
import { withLeaseOptions, type LeaseOptions } from '../lease-options.js';
import { withPlace, type PlaceOptions } from '../place.js';
import type { Session } from '../session.js';

/** How a command is run under a lock, as the options have it. */
export interface RunOptions extends LeaseOptions, PlaceOptions {
  minHold?: string;
  grace: string;
  conflictExitCode?: number;
}

const EXAMPLES = `
Examples:
  db-lock run nightly -- ./nightly.sh             unless another copy of it runs
  db-lock run --wait 10m deploy -- make deploy    after the one before it
  db-lock run --limit 3 encode -- ./encode.sh     at most three at a time
  db-lock run --ttl 2m --min-hold 1m cron -- …    once, though clocks differ

The command has DB_LOCK_NAME and DB_LOCK_TOKEN, the fencing token, in its
environment. Exit codes, beside those of the command: 75 the lock is busy,
79 the lease is lost, 69 the locks can't be reached, 64 wrong use, 77 no access,
126 and 127 the command can't be started.`;

/** A command that runs only while a lock is held. */
export function addRun(program: Command, session: Session): void {
  const command = new RunCommand('run').copyInheritedSettings(program);
  program.addCommand(command);
  withPlace(
    withLeaseOptions(
      command
        .summary('run a command under a lock')
        .description(
          'Takes the lock, keeps it while the command runs, and releases it. Signals are passed on to the command. When the lease is lost, the command is ended.',
        )
        .usage('[options] <name> -- <command> [argument…]')
        .argument('<name>', 'the lock')
        .argument('<command>', 'what to run')
        .argument('[arguments...]', 'what it is told')
        .optionsGroup('How the lock is held:')
        .option('--ttl <duration>', 'for how long it stays taken when this machine dies (default: 30s)'),
    )
      .option('--min-hold <duration>', 'for how long it stays taken at least, at most the TTL')
      .optionsGroup('How the command ends:')
      .option('--grace <duration>', 'between SIGTERM and SIGKILL when the lease is lost', '10s')
      .option('-E, --conflict-exit-code <number>', 'when the lock is busy (default: 75)', exitCode),
  )
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, file: string, args: string[], options: RunOptions) => {
      const { runUnderLock } = await import('../run-under-lock.js');
      await runUnderLock(session, { name, file, args }, options);
    });
}

/** What comes after the first `--` is for the command, whatever it looks like. */
class RunCommand extends Command {
  override parseOptions(argv: string[]): ParseOptionsResult {
    const at = argv.indexOf('--');
    const own = super.parseOptions(at < 0 ? argv : argv.slice(0, at));
    if (own.unknown.length === 0 && own.operands.length > 1)
      throw new UsageError('What to run comes after "--": db-lock run NAME -- COMMAND [ARGUMENT…].');
    return { operands: [...own.operands, ...(at < 0 ? [] : argv.slice(at + 1))], unknown: own.unknown };
  }
}

function exitCode(text: string): number {
  const code = Number(text);
  if (/^\d+$/.test(text) && code <= 255) return code;
  throw new InvalidArgumentError('It must be a whole number from 0 to 255.');
}
