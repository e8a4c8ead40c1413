import { Option, type Command } from 'commander';
import { UsageError } from '../errors.js';
import { numberOf } from '../flags.js';
import { Table } from '../output/table.js';
import { withPlace, type PlaceOptions } from '../place.js';
import type { Session } from '../session.js';
import { LOCK_COLUMNS, lockRow } from '../output/lock-row.js';
import type { ListQuery } from '../ways/way.js';

interface ListOptions extends PlaceOptions, Omit<ListQuery, 'page' | 'pageSize'> {
  limit?: string;
}

/** How many locks are asked for at a time. */
const PAGE_SIZE = 200;

const EXAMPLES = `
Examples:
  db-lock list --state contended
  db-lock list --json --state held | jq -r .lockName`;

/** The locks that there are. */
export function addList(program: Command, session: Session): void {
  withPlace(
    program
      .command('list')
      .summary('list locks')
      .description('Lists the locks, by name unless told otherwise.')
      .optionsGroup('Which locks:')
      .option('--search <text>', "part of the lock's or the worker's name, whatever the case")
      .option('--prefix <text>', 'what the name begins with, exactly')
      .addOption(
        new Option('--state <state>', 'in this state only; contended: somebody waits').choices([
          'held',
          'contended',
          'expired',
          'released',
        ]),
      )
      .addOption(
        new Option('--sort <field>', 'by what to sort').choices([
          'lockName',
          'workerName',
          'lockTime',
          'expireTime',
          'fencingToken',
          'waiting',
        ]),
      )
      .addOption(new Option('--order <order>', 'how').choices(['asc', 'desc']))
      .option('--limit <number>', 'the most that are listed (default: all)'),
  )
    .addHelpText('after', EXAMPLES)
    .action((options: ListOptions) => list(session, options));
}

async function list(session: Session, options: ListOptions): Promise<void> {
  const { search, prefix, state, sort, order } = options;
  let left = mostOf(options.limit);
  const { out } = session;
  await session.at(options, async (way) => {
    const table = new Table(LOCK_COLUMNS, out.paint('bold'));
    for (let page = 1; left > 0; page++) {
      const { items, serverTime } = await way.page({
        search,
        prefix,
        state,
        sort,
        order,
        page,
        pageSize: PAGE_SIZE,
      });
      const wanted = items.slice(0, left);
      left -= wanted.length;
      if (session.isJson) for (const lock of wanted) await out.json(lock);
      else {
        const rows = wanted.map((lock) => lockRow(lock, serverTime, out));
        if (page === 1) await out.print(table.head(rows));
        await out.print(...table.lines(rows));
      }
      if (items.length < PAGE_SIZE) return;
    }
  });
}

function mostOf(limit: string | undefined): number {
  const most = limit === undefined ? Infinity : numberOf(limit);
  if (most >= 1) return most;
  throw new UsageError('--limit must be a whole number from 1 on.');
}
