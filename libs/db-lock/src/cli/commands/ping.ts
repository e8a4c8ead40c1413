import type { Command } from 'commander';
import { withPlace, type PlaceOptions } from '../place.js';
import type { Session } from '../session.js';

/** Whether the locks can be reached. */
export function addPing(program: Command, session: Session): void {
  withPlace(
    program
      .command('ping')
      .summary('see whether the locks can be reached')
      .description(
        'Asks the lock server, and it its database; or the database itself. Ends with 69 when there is no answer.',
      ),
  ).action((options: PlaceOptions) =>
    session.at(options, async (way) => {
      const start = performance.now();
      await way.ping();
      const milliseconds = Math.round(performance.now() - start);
      if (session.isJson) await session.out.json({ place: way.to, milliseconds });
      else await session.out.print(`${way.to} answers, after ${milliseconds} ms.`);
    }),
  );
}
