import type { Command } from 'commander';
import { durationOf } from '../flags.js';
import { withPlace, type PlaceOptions } from '../place.js';
import type { Session } from '../session.js';

interface RenewOptions extends PlaceOptions {
  ttl: string;
}

/** Gives a lease that acquire has brought a new TTL. */
export function addRenew(program: Command, session: Session): void {
  withPlace(
    program
      .command('renew')
      .summary('give a lease of acquire a new TTL')
      .description(
        'Gives the lease of DB_LOCK_GRANT_ID a new TTL from now, and never a shorter one. Ends with 79 when it is lost: stop then.',
      )
      .argument('<name>', 'the lock')
      .requiredOption('--ttl <duration>', 'for how long from now: 30s, 10m'),
  ).action(async (name: string, options: RenewOptions) => {
    const { renewLease } = await import('../lease-by-key.js');
    await renewLease(session, name, durationOf(options.ttl), options);
  });
}
