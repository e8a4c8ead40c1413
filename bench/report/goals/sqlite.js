import { cycles, DURABLE_REDIS, GROWTH, HAND_OFF, THE_BEST_LIBRARY } from './everywhere.js';
import { SHARING_GOALS } from './sharing.js';

/** @type {import('../goals.js').Goal[]} */
export const SQLITE_GOALS = [
  cycles(256, [...THE_BEST_LIBRARY, 0.9, 1.2]),
  cycles(1, [...DURABLE_REDIS, 1.3]),
  HAND_OFF,
  ...SHARING_GOALS,
  GROWTH,
];
