import pg from 'pg';

/**
 * @typedef {object} Measurement
 * @property {string} system
 * @property {number} attempts - a second
 * @property {number} statements - sent to the database, for 1,000 attempts
 * @property {number} names - that those statements asked for, for 1,000 attempts
 * @property {number} refused - percent of the attempts
 */

let statements = 0;
let names = 0;

/** Counts what goes to the database from this process. */
export function countStatements() {
  const { query } = pg.Client.prototype;
  pg.Client.prototype.query = /** @type {any} */ (
    function (/** @type {any} */ statement, /** @type {any[]} */ ...rest) {
      statements++;
      if (Array.isArray(statement?.values?.[0])) names += statement.values[0].length;
      return Reflect.apply(query, this, [statement, ...rest]);
    }
  );
}

/**
 * Lets callers try for locks, most of which are held, each as fast as it can.
 *
 * @param {{ name: string, locks: import('nestjs-db-lock').LockClient }} system
 * @param {{ seconds: number, callers: number, refused: number, held: number }} options
 * @returns {Promise<Measurement>}
 */
export async function measure({ name, locks }, { seconds, callers, refused, held }) {
  const before = { statements, names };
  let attempts = 0;
  let refusals = 0;
  const start = performance.now();
  const end = start + seconds * 1000;
  const call = async (/** @type {number} */ caller) => {
    for (let turn = 0; performance.now() < end; turn++) {
      attempts++;
      if (Math.random() * 100 < refused) {
        const lease = await locks.tryAcquire(`held:${Math.floor(Math.random() * held)}`);
        if (lease) throw new Error('A lock that is held was granted.');
        refusals++;
      } else await (await locks.acquire(`free:${caller}:${turn % 100}`)).release();
    }
  };
  await Promise.all(Array.from({ length: callers }, (_, caller) => call(caller)));
  const took = performance.now() - start;
  return {
    system: name,
    attempts: (attempts / took) * 1000,
    statements: ((statements - before.statements) / attempts) * 1000,
    names: ((names - before.names) / attempts) * 1000,
    refused: (refusals / attempts) * 100,
  };
}
