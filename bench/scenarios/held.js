import { Contender, withAll } from '../contest/contender.js';
import { inRounds } from '../contest/rounds.js';
import { median, spread, SYSTEM } from '../report/columns.js';
import { sectionsOf } from '../report/sections.js';
import { TTL } from '../systems.js';

export const title = 'Held';

export const text =
  'One process holds 100,000 leases with a TTL of 30 s and keeps them alive, and does nothing else. Heap is what a lease takes in it, before the first renewal; the shares are of one core: of the process, and of the database behind it.';

export const LEASES = 100_000;

/** Each lease is renewed once in this time, in seconds: keep-alive renews at a third of the TTL. */
const PERIOD = TTL / 3 / 1000;

const CONDITIONS = [{ leases: LEASES }];

/** @type {import('../contest/stage.js').Scenario['play']} */
export async function play(stage) {
  const [holder] = await Contender.choose(stage, [{ system: 'lock-client' }]);
  if (!holder) return { systems: [], measurements: [], sections: [] };
  const lockNames = Array.from({ length: LEASES }, (_, index) => `held:${index}`);
  const measurements = await withAll([holder], async () => {
    const [{ heap }] = (await holder.work('keeping', { lockNames })).reports;
    return inRounds(
      stage,
      [holder],
      CONDITIONS,
      async (contender, _condition, seconds) => {
        const { reports, serverCpu } = await contender.work('resting', {
          seconds: stage.options.quick ? seconds : PERIOD,
        });
        const [{ nodeCpu, took, lost }] = reports;
        const share = (/** @type {number} */ cpu) => cpu / (took * 1000);
        return [
          {
            system: contender.key,
            figures: { heap: heap / 1000, node: share(nodeCpu), servers: share(serverCpu) },
            errors: lost > 0 ? [`${lost} leases were lost.`] : [],
          },
        ];
      },
      { warmUp: false },
    );
  });
  const systems = holder.descriptions;
  const columns = [
    SYSTEM,
    median('kB of heap a lease', 'heap', 2),
    spread('share of a core, node', 'node', 3),
    spread('servers', 'servers', 3),
  ];
  return {
    systems,
    measurements,
    sections: sectionsOf(measurements, CONDITIONS, { systems, columns, referenceOf: (key) => key }),
  };
}
