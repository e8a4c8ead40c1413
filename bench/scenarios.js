/** The files in scenarios/, in the order in which they are played. */
export const SCENARIOS = [
  'uncontended',
  'latency',
  'refused',
  'hot-lock',
  'renewals',
  'held',
  'processes',
  'http',
  'decorator',
  'growth',
  'churn',
  'watched',
];

/** @param {string} scenario @returns {Promise<import('./contest/stage.js').Scenario>} */
export function loadScenario(scenario) {
  return import(`./scenarios/${scenario}.js`);
}
