import type { Command } from 'commander';
import { durationOf } from '../flags.js';
import { withPlace, type PlaceOptions } from '../place.js';
import type { Session } from '../session.js';

interface ReleaseOptions extends PlaceOptions {
  minHold?: string;
}

/** Ends a lease that acquire has brought. */
export function addRelease(program: Command, session: Session): void {
  withPlace(
    program
      .command('release')
      .summary('end a lease of acquire')
      .description(
        "Ends the lease of DB_LOCK_GRANT_ID. Ends with 79 when it was lost before; nobody else's is touched.",
      )
      .argument('<name>', 'the lock')
      .option('--min-hold <duration>', 'keep the lock taken until so long after the start of the lease'),
  ).action(async (name: string, options: ReleaseOptions) => {
    const { releaseLease } = await import('../lease-by-key.js');
    await releaseLease(session, name, options.minHold && durationOf(options.minHold), options);
  });
}
