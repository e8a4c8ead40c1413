/** Fields that are no options: what the help calls them. */
const ARGUMENTS: Record<string, string> = {
  lockName: 'NAME',
  grantId: 'DB_LOCK_GRANT_ID',
  workerName: '--worker',
  dataSource: '--database',
  fencingToken: '--token',
};

/** What a field of a request is called on the command line: `minHold` is `--min-hold`. */
export function flagOf(field: string): string {
  return ARGUMENTS[field] ?? `--${field.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** A duration as an option has it: digits alone are milliseconds. */
export const durationOf = (text: string): string | number => (/^\d+$/.test(text) ? Number(text) : text);

/** A number as an option has it; what is none is left to the rule that names it. */
export const numberOf = (text: string): number => (/^\d+$/.test(text) ? Number(text) : NaN);
