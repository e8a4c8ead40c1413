import { handOffFigures } from '../report/hand-offs.js';

/** So many waiters are measured for as long as the options say, more of them longer: each must get its turns. */
const ORDINARY = 128;

let measured = 0;

/**
 * Lets waiters in all processes of a contender take and release one lock again and again, and says how it went from one to
 * the next.
 *
 * @param {import('./contender.js').Contender} contender - has not entered
 * @param {object} options
 * @param {number} options.waiters - in all processes together
 * @param {number} options.hold - ms that each holds the lock; 0 for no time at all
 * @param {number} options.seconds
 * @param {number} [options.limit] - how many may hold it together; by default one
 * @returns {Promise<import('./rounds.js').Finding[]>}
 */
export function findingsOfWaiters(contender, { waiters, hold, seconds, limit = 1 }) {
  const { processes = 1 } = contender.entry;
  const shares = Array.from({ length: processes }, (_, member) => Math.floor((waiters + member) / processes));
  const { options, servers, database } = contender.stage;
  return anew(contender, { waiters: Math.max(...shares) }, async () => {
    const lockName = `hot:${++measured}`;
    await contender.work('first-turn', { lockName });
    const begin = options.warmUp * 1000;
    const end = begin + seconds * 1000 * Math.max(1, waiters / ORDINARY);
    const origin = process.hrtime.bigint();
    const { reports } = await contender.work('waiting', { lockName, waiters: shares, hold, origin, end });
    const figures = handOffFigures(
      reports.map(({ attempts }) => attempts),
      { waiters, limit, begin, end },
    );
    const connections =
      (await database.countSessions()) +
      (await servers.redis.countConnections()) +
      (await servers.durableRedis.countConnections());
    return [
      {
        system: contender.key,
        figures: { ...figures, connections },
        errors: reports.flatMap(({ errors }) => errors),
      },
    ];
  });
}

/**
 * Measures in processes that are there for nothing else.
 *
 * @param {import('./contender.js').Contender} contender - has not entered
 * @param {Partial<import('../systems.js').Place>} place
 * @param {() => Promise<import('./rounds.js').Finding[]>} measure
 */
export async function anew(contender, place, measure) {
  try {
    await contender.enter(place);
    return await measure();
  } finally {
    await contender.leave();
    await contender.stage.database.endSessions();
  }
}
