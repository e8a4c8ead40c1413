import { eastAsianWidth } from 'get-east-asian-width';

/** What has no shape of its own, or changes how its neighbours are shown; spaces at either end, and what may pass for an escape. */
const MISLEADING =
  /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}"\\]|(?! )\p{Zs}|^ | $|^$/u;

const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]|(?! )\p{Zs}/gu;

/** `ö` may be one character, or an `o` and a mark: those are two names. */
const MARK = /\p{M}/gu;

/**
 * A text for people, on one line. One that could do something to a terminal, or pass for another, is quoted as JSON quotes it, with all that
 * can't be seen spelt out.
 */
export function visible(text: string): string {
  const isComposed = text === text.normalize('NFC');
  if (isComposed && !MISLEADING.test(text)) return text;
  const quoted = spelt(JSON.stringify(text));
  return isComposed ? quoted : quoted.replaceAll(MARK, escaped);
}

/** JSON that says the same, and that no terminal takes for a command. */
export const spelt = (json: string): string => json.replaceAll(INVISIBLE, escaped);

/** A text of whole sentences without what a terminal could take for a command. */
export const harmless = (text: string): string =>
  text.replaceAll(INVISIBLE, (character) => (character === '\n' ? character : escaped(character)));

/** As JSON has it, in UTF-16. */
const escaped = (character: string): string =>
  character
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');

/** How many columns of a terminal it takes: Chinese characters take two, and marks none. */
export function widthOf(text: string): number {
  let width = 0;
  for (const character of text.replaceAll(MARK, '')) width += eastAsianWidth(character.codePointAt(0)!);
  return width;
}
