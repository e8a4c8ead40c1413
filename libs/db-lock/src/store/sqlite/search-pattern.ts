/** A GLOB pattern that finds a text anywhere, whatever its case: SQLite's LIKE knows the case of ASCII only. */
export const patternOf = (text: string): string => `*${[...text].map(anyCase).join('')}*`;

/** The character in each of its cases, of which there may be more than two: ǆ, Ǆ and ǅ, or σ, ς and Σ. */
function anyCase(character: string): string {
  cased ??= charactersWithCases();
  const same = new RegExp(`\\u{${character.codePointAt(0)!.toString(16)}}`, 'giu');
  const cases = cased.match(same) ?? [character];
  return cases.length > 1 || '*?['.includes(character) ? `[${cases.join('')}]` : character;
}

let cased: string | undefined;

/** Beyond the last of them. */
const END = 0x20000;

function charactersWithCases(): string {
  const all = Array.from({ length: END }, (_, code) => String.fromCodePoint(code));
  return all.filter((character) => /\p{Changes_When_Casemapped}/u.test(character)).join('');
}
