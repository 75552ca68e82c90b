/** A parser with bugs behind what chance does not find, for the tests of the search itself. */

/** Throws behind four bytes and a word, goes on for ever behind four others, and is fine otherwise. */
export function parsePlanted(bytes: Uint8Array): string {
  if (bytes[0] !== 0x7f) return "no magic";
  if (bytes[1] !== 0x45) return "one";
  if (bytes[2] !== 0xd3) return "two";
  if (bytes[3] === 0x99) throw new RangeError("planted");
  return "three";
}

/** Goes on for ever behind four bytes. */
export function parseEndless(bytes: Uint8Array): string {
  let at = 0;
  if (bytes[0] === 0x50) {
    if (bytes[1] === 0x4b) {
      if (bytes[2] === 0x03) {
        while (bytes[3] === 0x04) at = (at + 1) % 7;
      }
    }
  }
  return `${at}`;
}
