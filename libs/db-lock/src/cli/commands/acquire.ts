import type { Command } from 'commander';
import type { Lease } from '../../client/lease.js';
import { EXIT } from '../exit-codes.js';
import { interruptible } from '../interruption.js';
import { acquireOptions, withLeaseOptions, type LeaseOptions } from '../lease-options.js';
import { withPlace, type PlaceOptions } from '../place.js';
import type { Session } from '../session.js';

interface AcquireOptions extends LeaseOptions, PlaceOptions {
  ttl: string;
}

const EXAMPLES = `
Example:
  DB_LOCK_GRANT_ID=$(db-lock acquire nightly --ttl 10m) || exit
  export DB_LOCK_GRANT_ID
  …
  db-lock renew nightly --ttl 10m || exit   # 79: the lease is lost, stop
  …
  db-lock release nightly`;

/** Takes a lock and leaves it taken. */
export function addAcquire(program: Command, session: Session): void {
  withPlace(
    withLeaseOptions(
      program
        .command('acquire')
        .summary('take a lock and leave it taken')
        .description(
          'Takes the lock and prints the grantId of its lease, once: it is the key to renew and release it. Ends with 75 when the lock is busy. Nobody renews the lease for you: where one command does the work, use run.',
        )
        .argument('<name>', 'the lock')
        .optionsGroup('How the lock is held:')
        .requiredOption('--ttl <duration>', 'for how long, unless it is renewed: 30s, 10m'),
    ),
  )
    .addHelpText('after', EXAMPLES)
    .action((name: string, options: AcquireOptions) =>
      session.at(options, ({ client }) =>
        interruptible(session.around, async ({ signal }) => {
          const lease = await client.acquire(name, { ...acquireOptions(options), signal });
          try {
            await (session.isJson ? session.out.json(jsonOf(lease)) : session.out.print(lease.grantId));
          } catch (error) {
            await lease.release(); // nobody has its key
            throw error;
          }
          leave(lease);
          return EXIT.done;
        }),
      ),
    );
}

const jsonOf = (lease: Lease) => ({ ...lease.toJSON(), mode: lease.mode, grantId: lease.grantId });

/** Ends our part in the lease, not the lease: whoever has its key goes on with it. */
const leave = (lease: Lease) => lease.lose('shutdown');
