import type { Command } from 'commander';
import { NegativeAnswer } from '../errors.js';
import { lockFacts } from '../output/lock-facts.js';
import { withPlace, type PlaceOptions } from '../place.js';
import type { Session } from '../session.js';

/** One lock. */
export function addGet(program: Command, session: Session): void {
  withPlace(
    program
      .command('get')
      .summary('show one lock: who holds it, who waits')
      .description(
        'Shows one lock, with those who hold it and those who wait for it. Ends with 1 where there is no such lock.',
      )
      .argument('<name>', 'the lock'),
  ).action((name: string, options: PlaceOptions) =>
    session.at(options, async (way) => {
      const lock = await way.inspect(name);
      if (!lock) throw new NegativeAnswer(`There is no lock ${JSON.stringify(name)}.`);
      if (session.isJson) await session.out.json(lock);
      else await session.out.print(...lockFacts(lock, session.out));
    }),
  );
}
