/** The files in scenarios/, in the order in which they are played. */
export const SCENARIOS = [
  'uncontended',
  'latency',
  'refused',
  'hot-lock',
  'shared',
  'semaphore',
  'renewals',
  'held',
  'processes',
  'http',
  'decorator',
  'telemetry',
  'growth',
  'churn',
  'watched',
];

/** Those that are played on every database; the others are about PostgreSQL. */
const ON_EVERY_DATABASE = ['uncontended', 'refused', 'hot-lock', 'shared', 'semaphore', 'growth'];

/** @param {import('./databases.js').DatabaseKind} database */
export const scenariosOn = (database) =>
  database === 'postgres' ? SCENARIOS : SCENARIOS.filter((scenario) => ON_EVERY_DATABASE.includes(scenario));

/** @param {string} scenario @returns {Promise<import('./contest/stage.js').Scenario>} */
export function loadScenario(scenario) {
  return import(`./scenarios/${scenario}.js`);
}
