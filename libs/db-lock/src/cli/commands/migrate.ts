import type { Command } from 'commander';
import { UsageError } from '../errors.js';
import { placeOf, withDatabase, type PlaceOptions } from '../place.js';
import type { Session } from '../session.js';

/** Makes the tables. */
export function addMigrate(program: Command, session: Session): void {
  withDatabase(
    program
      .command('migrate')
      .summary('make the tables, or bring them up to date')
      .description(
        'Makes the tables of a feature that are missing, and brings those of an earlier version up to date. What sql prints does the same by hand.',
      ),
  )
    .optionsGroup('Options:')
    .option('--json', 'print JSON')
    .action(async (options: PlaceOptions) => {
      session.isJson = options.json ?? false;
      const place = placeOf(options, session.around);
      if (place.kind === 'server')
        throw new UsageError('migrate works on a database: say --database, or set DATABASE_URL.');
      const { openWay } = await import('../ways/open-way.js');
      await using way = await openWay(place, (message) => session.warn(message), true);
      if (session.isJson) await session.out.json({ place: way.to, feature: place.feature });
      else await session.out.print(`${way.to} has the tables of ${place.feature}.`);
    });
}
