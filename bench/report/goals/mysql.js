import { cycles, GROWTH, HAND_OFF } from './everywhere.js';
import { SHARING_GOALS } from './sharing.js';

/** @type {import('../goals.js').Goal[]} */
export const MYSQL_GOALS = [
  cycles(256, ["verrou's Knex store on MySQL", 'verrou-mysql', 8]),
  cycles(256, ['raw mysql2, pool of 16, one row a statement', 'raw-mysql', 12]),
  HAND_OFF,
  ...SHARING_GOALS,
  GROWTH,
];
