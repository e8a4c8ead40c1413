/** What is replaced in the SQL that passes by. */
export interface Tampering {
  pattern: RegExp;
  replacement: string | ((match: string, ...groups: string[]) => string);
}

/** The SQL with all that is replaced in it. */
export const tamper = (sql: string, tamperings: readonly Tampering[]): string =>
  tamperings.reduce((text, { pattern, replacement }) => text.replace(pattern, replacement as string), sql);
