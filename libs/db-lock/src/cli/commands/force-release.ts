import { Option, type Command } from 'commander';
import { numberOf } from '../flags.js';
import { visible } from '../output/visible.js';
import { withPlace, type PlaceOptions } from '../place.js';
import type { Session } from '../session.js';
import type { EndedLeaseJson } from '../ways/way.js';

interface ForceReleaseOptions extends PlaceOptions {
  reason: string;
  token?: string;
  mode?: 'shared';
}

const EXAMPLES = `
Examples:
  db-lock force-release import --reason 'its host is gone'
  db-lock force-release import --reason 'hangs' --token 1764489600000001   only that lease`;

/** Frees a lock against its holder's will. */
export function addForceRelease(program: Command, session: Session): void {
  withPlace(
    program
      .command('force-release')
      .summary("free a lock against its holder's will")
      .description(
        'Ends the leases of a lock, and records who did it and why. The old holder may still be running: it learns of it at its next renewal.',
      )
      .argument('<name>', 'the lock')
      .requiredOption('--reason <text>', 'why, for the history')
      .option('--token <number>', 'only the lease of this fencing token; ends with 1 where there is another')
      .addOption(new Option('--mode <mode>', 'only those who share the lock').choices(['shared'])),
  )
    .addHelpText('after', EXAMPLES)
    .action((name: string, options: ForceReleaseOptions) =>
      session.at(options, async (way) => {
        const { reason, token, mode } = options;
        const answer = await way.forceRelease(name, {
          reason,
          fencingToken: token === undefined ? undefined : numberOf(token),
          mode,
        });
        if (session.isJson) await session.out.json(answer);
        else await session.out.print(...sentences(answer));
      }),
    );
}

function sentences({ lockName, ended, leases }: EndedLeaseJson): string[] {
  if (!ended) return [`Nobody held ${visible(lockName)}.`];
  const others = leases > 1 ? ` and ${leases - 1} more` : '';
  return [
    `${visible(lockName)} is taken from ${visible(ended.workerName)}${others}, token ${ended.fencingToken}.`,
    'The old holder may still be running.',
  ];
}
