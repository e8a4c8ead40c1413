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
  let literal = '';
  for (const item of items) {
    const text = textOf(item);
    literal += literal === '' ? '{' : ',';
    literal += text === null || text === undefined ? 'NULL' : quoted(text);
  }
  return literal === '' ? '{}' : `${literal}}`;
}

/** A list as PostgreSQL reads an array of numbers: `{1,2.5,NULL}`. */
export function numberArray<Item>(
  items: readonly Item[],
  numberOf: (item: Item) => number | null | undefined,
): string {
  return `{${items.map((item) => numberOf(item) ?? 'NULL').join()}}`;
}

function quoted(text: string): string {
  const isPlain = !text.includes('"') && !text.includes('\\');
  return `"${isPlain ? text : text.replace(SPECIAL, '\\$&')}"`;
}
