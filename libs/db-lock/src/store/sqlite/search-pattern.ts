/** A GLOB pattern that finds a text anywhere, whatever its case: SQLite's LIKE knows the case of ASCII only. */
export const patternOf = (text: string): string => `*${[...text].map(anyCase).join('')}*`;

/** The character in each case; where that is more than one character, as it is. */
function anyCase(character: string): string {
  const lower = character.toLowerCase();
  const cases = [...lower].length === 1 ? [lower, ...(upperCases().get(lower) ?? [])] : [character];
  return cases.length > 1 || '*?['.includes(character) ? `[${cases.join('')}]` : character;
}

/** Beyond the last of the characters that have cases. */
const END = 0x20000;

let known: Map<string, string[]> | undefined;

/** The characters of which each is the lower case: "ß" is that of "ẞ", whose upper case is "SS". */
function upperCases(): Map<string, string[]> {
  if (known) return known;
  known = new Map();
  for (let code = 0; code < END; code++) {
    const character = String.fromCodePoint(code);
    if (!/\p{Changes_When_Lowercased}/u.test(character)) continue;
    const lower = character.toLowerCase();
    known.set(lower, [...(known.get(lower) ?? []), character]);
  }
  return known;
}
