import { setTimeout as sleep } from 'node:timers/promises';
import { Contender, withAll } from '../contest/contender.js';
import { findingsOf } from '../contest/figures.js';
import { inRounds } from '../contest/rounds.js';
import { median, ratio, spread } from '../report/columns.js';
import { rowsOf } from '../report/summary.js';
import { cpuOf } from '../servers/cpu.js';
import { fillTable } from '../servers/filled-table.js';
import { APPLICATION } from '../systems/admin-pages.js';

export const title = 'Watched';

export const text =
  "LockClient, 256 callers, 100,000 locks, while nobody and while ten people look at the admin's list, each sorted in another way, served by a process of its own. The share is that of the admin's sessions in the CPU of the database; the ratio is to nobody looking.";

const FEATURE = 'watched';
const CALLERS = 256;
/** @type {import('../loads/lock-names.js').LockNames} */
const NAMES = { prefix: 'watched:', count: 100_000, order: 'in turn' };
const PAGES = [0, 10];

/** How long it takes to open the pages, in seconds. */
const OPENING = 2;

/** @param {number} pages */
export const watchedKey = (pages) => `lock-client, ${pages} pages`;

/** @type {import('../contest/stage.js').Scenario['play']} */
export async function play(stage) {
  const place = { feature: FEATURE };
  const [locks, admin] = await Contender.choose(stage, [
    { system: 'lock-client', place },
    { system: 'admin-pages', place },
  ]);
  if (!admin) return { systems: [], measurements: [], sections: [] };
  await fillTable(stage.database, FEATURE, { ...NAMES, prefix: `${NAMES.prefix}0:` });

  const adminCpu = async () => {
    const sessions = await stage.database.query(
      'SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE $1',
      [`${APPLICATION}%`],
    );
    return new Map(sessions.map(({ pid }) => [pid, cpuOf(pid, 'postgres') ?? NaN]));
  };

  const measurements = await withAll([locks, admin], () =>
    inRounds(
      stage,
      [locks],
      PAGES.map((pages) => ({ pages })),
      async (contender, { pages }, seconds) => {
        const watching = admin.work('watching', { pages, seconds: seconds + OPENING });
        await sleep(OPENING * 1000);
        const before = await adminCpu();
        const [[finding]] = await Promise.all([
          findingsOf(contender, 'cycles', { callers: CALLERS, seconds, names: NAMES }),
          watching,
        ]);
        const used = [...(await adminCpu())].reduce(
          (sum, [pid, cpu]) => sum + cpu - (before.get(pid) ?? 0),
          0,
        );
        const { serverCpu, perSecond } = finding.figures;
        const share = (used / (serverCpu * perSecond * seconds)) * 100;
        return [{ ...finding, system: watchedKey(pages), figures: { ...finding.figures, share } }];
      },
      { warmUp: true },
    ),
  );
  const [{ settings }] = locks.descriptions;
  const systems = PAGES.map((pages) => ({
    key: watchedKey(pages),
    name: pages === 0 ? 'nobody looks' : `${pages} pages`,
    settings,
  }));
  return {
    systems: [...systems.slice(0, 1), ...admin.descriptions],
    measurements,
    sections: [
      {
        title: `${NAMES.count.toLocaleString('en')} locks`,
        columns: [
          ['', ({ name }) => name],
          spread('cycles/s', 'perSecond'),
          ratio('ratio', 'perSecond'),
          median('servers, µs CPU a cycle', 'serverCpu', 1),
          spread("admin's share of it, %", 'share', 1),
        ],
        // One round has both conditions, which are told apart by their systems.
        rows: rowsOf(
          measurements.map((one) => ({ ...one, condition: {} })),
          {},
          systems,
          () => watchedKey(0),
        ),
      },
    ],
  };
}
