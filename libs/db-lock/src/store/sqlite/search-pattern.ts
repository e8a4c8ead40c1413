/** A GLOB pattern that finds a text anywhere, whatever its case: SQLite's LIKE knows the case of ASCII only. */
export const patternOf = (text: string): string => `*${[...text].map(anyCase).join('')}*`;

/** The character in either case; where that is more than one character, as it is. */
function anyCase(character: string): string {
  const cases = [character, character.toLowerCase(), character.toUpperCase()];
  const single = new Set(cases.filter((one) => [...one].length === 1));
  return single.size > 1 || '*?['.includes(character) ? `[${[...single].join('')}]` : character;
}
