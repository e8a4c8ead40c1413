export type Piece = { text: string } | { token: string };

/**
 * First emoji, whose parts joiners and selectors hold together, as they should. Then what has no shape of its own, or changes how
 * its neighbours are shown: controls, formats, line ends, odd spaces, and spaces at either end.
 */
const EMOJI_OR_INVISIBLE =
  /(\p{Extended_Pictographic}\uFE0F?\p{Emoji_Modifier}?(?:\u200D\p{Extended_Pictographic}\uFE0F?\p{Emoji_Modifier}?)*)|[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]|(?! )\p{Zs}|^ +| +$/gu;

/** Marks, too: `ö` may be one character or an `o` and a mark, and those are two names. */
const EMOJI_OR_INVISIBLE_OR_MARK = new RegExp(`${EMOJI_OR_INVISIBLE.source}|\\p{M}`, 'gu');

const ESCAPES: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** Splits a text into what may be shown as it is and what must be shown as a token, so that no name can pass for another. */
export function piecesOf(text: string): Piece[] {
  const pieces: Piece[] = [];
  let end = 0;
  const apart = text === text.normalize('NFC') ? EMOJI_OR_INVISIBLE : EMOJI_OR_INVISIBLE_OR_MARK;
  for (const match of text.matchAll(apart)) {
    const [found, emoji] = match;
    if (emoji !== undefined) continue;
    if (match.index > end) pieces.push({ text: text.slice(end, match.index) });
    pieces.push({ token: Array.from(found, tokenOf).join('') });
    end = match.index + found.length;
  }
  if (end < text.length) pieces.push({ text: text.slice(end) });
  return pieces;
}

/** The text with its invisible characters spelt out, for where there are no elements: labels and titles. */
export function visibleText(text: string): string {
  return piecesOf(text)
    .map((piece) => ('text' in piece ? piece.text : piece.token))
    .join('');
}

/** As a programmer would write it: not every font has pictures for these. */
function tokenOf(character: string): string {
  const hex = character.codePointAt(0)!.toString(16).toUpperCase();
  return ESCAPES[character] ?? (hex.length > 4 ? `\\u{${hex}}` : `\\u${hex.padStart(4, '0')}`);
}
