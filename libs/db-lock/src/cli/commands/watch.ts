import type { Command } from 'commander';
import { withPlace, type PlaceOptions } from '../place.js';
import type { Session } from '../session.js';

export interface WatchOptions extends PlaceOptions {
  prefix?: string;
}

const EXAMPLES = `
Examples:
  db-lock watch nightly deploy
  db-lock watch --json | jq -r 'select(.waiting > 10) | .lockName'`;

/** Locks as they change. */
export function addWatch(program: Command, session: Session): void {
  withPlace(
    program
      .command('watch')
      .summary('show locks as they change')
      .description(
        'Shows locks as they change, until it is ended: all, or those that are named, which are shown first as they are. By a server, through its admin.',
      )
      .argument('[names...]', 'the locks')
      .option('--prefix <text>', 'only those whose names begin with it'),
  )
    .addHelpText('after', EXAMPLES)
    .action(async (names: string[], options: WatchOptions) => {
      const { watch } = await import('../watch.js');
      await watch(session, names, options);
    });
}
