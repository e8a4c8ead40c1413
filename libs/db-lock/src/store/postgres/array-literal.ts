/** What has to be escaped between quotes. */
const SPECIAL = /["\\]/g;

/**
 * A list as PostgreSQL reads an array of texts, or of what is cast from text: `{"a","b",NULL}`. Written here because node-pg goes over
 * each element several times, which is much for thousands of names a second.
 * @see https://www.postgresql.org/docs/current/arrays.html#ARRAYS-INPUT
 * @param textOf - null and undefined become NULL
 */
export function textArray<Item>(
  items: readonly Item[],
  textOf: (item: Item) => string | null | undefined,
): string {
  const texts = items.map((item) => textOf(item));
  if (texts.length > 0 && texts.every(isSafe)) return `{"${texts.join('","')}"}`;
  return `{${texts.map(element).join()}}`;
}

/** A list as PostgreSQL reads an array of numbers: `{1,2.5,NULL}`. */
export function numberArray<Item>(
  items: readonly Item[],
  numberOf: (item: Item) => number | null | undefined,
): string {
  return `{${items.map((item) => numberOf(item) ?? 'NULL').join()}}`;
}

/** Whether a text needs no escaping between quotes. */
const isSafe = (text: string | null | undefined) =>
  typeof text === 'string' && !text.includes('"') && !text.includes('\\');

const element = (text: string | null | undefined) =>
  text === null || text === undefined ? 'NULL' : `"${text.replace(SPECIAL, '\\$&')}"`;
