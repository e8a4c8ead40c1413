import type { Faults } from '../batch.js';

/** The five characters by which SQL names an error; undefined for errors that don't come from the server. */
export function sqlState(error: unknown): string | undefined {
  const { code, severity } = (error ?? {}) as { code?: unknown; severity?: unknown };
  return typeof code === 'string' && typeof severity === 'string' ? code : undefined;
}

/** The server itself answered, and the connection is usable: the statement had no effect. */
export function isRefusal(error: unknown): boolean {
  const code = sqlState(error);
  return code !== undefined && !/^(08|57P|53|25006|XX)/.test(code);
}

const CONFLICTS = new Set(['40001', '40P01']);

/** One request may be to blame for these: its data do not fit, or a trigger or a policy of the table refuses it. */
const BLAMES_ONE = /^(22|23|38|39|40|42501|44|P0)/;

/** Likewise: somebody else keeps the row locked. Each try with it in takes that long again. */
export const ROW_LOCKED = '55P03';

/** A set of locks of which one was taken meanwhile; see the statement `acquireSet`. */
const TAKEN_MEANWHILE = '22012';

export const isTakenMeanwhile = (error: unknown) => sqlState(error) === TAKEN_MEANWHILE;

/** What PostgreSQL's errors say. */
export const FAULTS: Faults = {
  isConflict: (error) => CONFLICTS.has(sqlState(error) ?? ''),
  blames(error) {
    if (!isRefusal(error)) return undefined;
    const state = sqlState(error)!;
    if (state === ROW_LOCKED) return 'each';
    return BLAMES_ONE.test(state) ? 'one' : undefined;
  },
};
