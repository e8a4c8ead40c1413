import type { Faults } from '../batch.js';

/** The first byte of SQLite's result codes. */
const CODES = { BUSY: 5, CONSTRAINT: 19, MISMATCH: 20, TOOBIG: 18 } as const;

type Code = keyof typeof CODES;

/** Whether SQLite said so. Drivers tell its codes by name (`SQLITE_BUSY_SNAPSHOT`) or by number. */
function isCode(error: unknown, code: Code): boolean {
  const { code: name, errcode } = (error ?? {}) as { code?: unknown; errcode?: unknown };
  if (typeof errcode === 'number') return (errcode & 0xff) === CODES[code];
  return typeof name === 'string' && (name === `SQLITE_${code}` || name.startsWith(`SQLITE_${code}_`));
}

/** Whether the error comes from SQLite itself. */
export function isOfSqlite(error: unknown): boolean {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' && (code.startsWith('SQLITE_') || code === 'ERR_SQLITE_ERROR');
}

/** Somebody else writes to the file. */
export const isBusy = (error: unknown) => isCode(error, 'BUSY');

/** One request may be to blame: its data do not fit, or a trigger of the table refuses it. The connection is as good as before. */
export const isRefusal = (error: unknown) =>
  (['CONSTRAINT', 'MISMATCH', 'TOOBIG'] as const).some((code) => isCode(error, code));

/** What SQLite's errors say. There are no conflicts: who writes is alone. */
export const FAULTS: Faults = {
  isConflict: () => false,
  // Where SQLite says nothing, what a row holds may be none of ours, such as metadata that are no JSON.
  blames: (error) => (isRefusal(error) || !isOfSqlite(error) ? 'one' : undefined),
};
