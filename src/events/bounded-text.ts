/**
 * Text from outside made harmless: control characters escaped and length capped, in one pass over at most `max`
 * characters.
 */

// Besides control characters: format characters (bidirectional overrides, zero-width), line separators, lone
// surrogates.
const CONTROL = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;
const PRINTABLE_ASCII = /^[ -~]*$/;
const NOT_PRINTABLE_ASCII = /[^ -~]/u;
const CUT = "...";

/** `text` with control characters as `\uXXXX`, at most `max` UTF-16 units; what is cut off is marked with `...`. */
export function boundText(text: string, max: number): string {
  return escapeWithin(text, max, CONTROL);
}

/** `text` as printable ASCII, everything else as `\uXXXX`; at most `max` characters, cut as in {@link boundText}. */
export function boundAscii(text: string, max: number): string {
  return escapeWithin(text, max, NOT_PRINTABLE_ASCII);
}

// A backslash stays as it is: the escapes are there to disarm, not to be reversed, and text may pass here twice.
function escapeWithin(text: string, max: number, unwanted: RegExp): string {
  // Nearly all text is plain, and compiling a class of Unicode properties takes a millisecond.
  if (text.length <= max && PRINTABLE_ASCII.test(text)) return text;
  let out = "";
  let cutAt = 0;
  for (const char of text) {
    const piece = unwanted.test(char) ? escaped(char) : char;
    if (out.length + piece.length > max) return out.slice(0, cutAt) + CUT;
    out += piece;
    if (out.length <= max - CUT.length) cutAt = out.length;
  }
  return out;
}

function escaped(char: string): string {
  let out = "";
  for (let index = 0; index < char.length; index += 1) {
    out += `\\u${char.charCodeAt(index).toString(16).padStart(4, "0")}`;
  }
  return out;
}
