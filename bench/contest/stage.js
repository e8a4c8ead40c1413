/**
 * Where a scenario is played.
 *
 * @typedef {object} Stage
 * @property {import('../options.js').Options} options
 * @property {import('../servers/servers.js').Servers} servers
 * @property {import('../servers/database.js').Database} database - empty at the start, the scenario's own
 * @property {Pick<import('../systems.js').Place, 'databaseUrl' | 'redisUrl' | 'durableRedisUrl'>} place
 * @property {(text: string) => void} say - what is being done
 */

/**
 * What a scenario has found out.
 *
 * @typedef {object} Outcome
 * @property {import('./contender.js').Description[]} systems
 * @property {import('./rounds.js').Measurement[]} measurements
 * @property {Section[]} sections
 */

/**
 * One table of the results.
 *
 * @typedef {object} Section
 * @property {string} title
 * @property {import('../report/columns.js').Column[]} columns
 * @property {import('../report/summary.js').Row[]} rows
 */

/**
 * A file in scenarios/.
 *
 * @typedef {object} Scenario
 * @property {string} title
 * @property {string} text - for the reader of the results: what is done, and what the figures are
 * @property {(stage: Stage) => Promise<Outcome>} play
 */

/**
 * Does something on a stage of its own.
 *
 * @template Result
 * @param {Pick<Stage, 'options' | 'servers' | 'say'>} all
 * @param {(stage: Stage) => Promise<Result>} work
 * @returns {Promise<Result>}
 */
export async function onStage({ options, servers, say }, work) {
  const database = await servers.database.createDatabase();
  const place = {
    databaseUrl: database.url,
    redisUrl: servers.redis.url,
    durableRedisUrl: servers.durableRedis.url,
  };
  try {
    return await work({ options, servers, database, place, say });
  } finally {
    await database.drop();
    for (const redis of [servers.redis, servers.durableRedis]) await redis.flush();
  }
}
