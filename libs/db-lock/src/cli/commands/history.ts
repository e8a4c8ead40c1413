import type { Command } from 'commander';
import { UsageError } from '../errors.js';
import { numberOf } from '../flags.js';
import { NOTHING } from '../output/lock-row.js';
import { Table } from '../output/table.js';
import { visible } from '../output/visible.js';
import { withPlace, type PlaceOptions } from '../place.js';
import type { Session } from '../session.js';
import type { HistoryJson } from '../ways/way.js';

interface HistoryOptions extends PlaceOptions {
  limit: string;
}

/** How many events are asked for at a time. */
const PAGE_SIZE = 200;

const COLUMNS = ['TIME', 'EVENT', 'WORKER', 'TOKEN', 'ACTOR', 'REASON'];

/** What happened to a lock. */
export function addHistory(program: Command, session: Session): void {
  withPlace(
    program
      .command('history')
      .summary('show what happened to a lock')
      .description('Shows what happened to a lock, the newest first: by a server, through its admin.')
      .argument('<name>', 'the lock')
      .option('--limit <number>', 'the most events that are shown', '50'),
  ).action((name: string, options: HistoryOptions) => history(session, name, options));
}

async function history(session: Session, name: string, options: HistoryOptions): Promise<void> {
  let left = numberOf(options.limit);
  if (!(left >= 1)) throw new UsageError('--limit must be a whole number from 1 on.');
  const { out } = session;
  await session.at(options, async (way) => {
    const table = new Table(COLUMNS, out.paint('bold'));
    for (let before: string | undefined, isFirst = true; left > 0; isFirst = false) {
      const { items, next } = await way.history(name, { limit: Math.min(left, PAGE_SIZE), before });
      left -= items.length;
      if (session.isJson) for (const event of items) await out.json(event);
      else {
        const rows = items.map(rowOf);
        if (isFirst) await out.print(table.head(rows));
        await out.print(...table.lines(rows));
      }
      if (next === null) return;
      before = next;
    }
  });
}

const rowOf = ({
  eventTime,
  event,
  workerName,
  fencingToken,
  actor,
  reason,
}: HistoryJson['items'][number]) => [
  eventTime,
  event,
  workerName === null ? NOTHING : visible(workerName),
  fencingToken === null ? NOTHING : String(fencingToken),
  actor === null ? NOTHING : visible(actor),
  reason === null ? '' : visible(reason),
];
