/**
 * Finds where each frame of a Zstandard stream ends: the decompressor of Node.js stops after the first and says
 * nothing.
 */

/** Follows the frames of one stream. */
export interface FrameWalker {
  /**
   * Takes bytes from `from` on and returns the position behind the end of the frame, or -1 when it goes on behind the
   * buffer. What is no frame is said to go on for ever, so that it comes to the decompressor, which refuses it.
   */
  readonly endOfFrame: (buffer: Uint8Array, from: number) => number;
  /**
   * Whether the frame holds user data of somebody's, which decompressors skip. Known once its first four bytes were
   * taken.
   */
  readonly skippable: () => boolean;
}

const MAGIC = 0xfd2fb528;
/** The first of sixteen. */
const MAGIC_SKIPPABLE = 0x184d2a50;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4];
const CONTENT_SIZE_BYTES = [0, 2, 4, 8];

/** A walker that stands at the beginning of a frame (RFC 8878, section 3.1). */
export function createFrameWalker(): FrameWalker {
  let field: "magic" | "skip-size" | "descriptor" | "block" | "nothing" = "magic";
  let need = 4;
  let value = 0;
  let got = 0;
  let toSkip = 0;
  let last = false;
  let checksum = 0;
  let skippable = false;

  function expectField(next: typeof field, bytes: number): void {
    field = next;
    need = bytes;
    value = 0;
    got = 0;
  }

  /** Acts on a field that is complete; true when the frame has no more fields. */
  function take(): boolean {
    if (field === "magic") {
      skippable = value >>> 4 === MAGIC_SKIPPABLE >>> 4;
      if (skippable) expectField("skip-size", 4);
      else if (value === MAGIC) expectField("descriptor", 1);
      else toSkip = Infinity;
    } else if (field === "skip-size") {
      toSkip = value;
      return true;
    } else if (field === "descriptor") {
      const single = (value & 0x20) !== 0;
      checksum = (value & 0x04) === 0 ? 0 : 4;
      const sizeFlag = value >> 6;
      toSkip =
        (single ? 0 : 1) +
        DICTIONARY_ID_BYTES[value & 3]! +
        (sizeFlag === 0 && single ? 1 : CONTENT_SIZE_BYTES[sizeFlag]!);
      expectField("block", 3);
    } else {
      last = (value & 1) === 1;
      const kind = (value >> 1) & 3;
      // One byte is repeated `size` times; kind 3 is reserved.
      toSkip = kind === 3 ? Infinity : kind === 1 ? 1 : value >>> 3;
      if (last) toSkip += checksum;
      expectField("block", 3);
      return last;
    }
    return false;
  }

  return {
    endOfFrame(buffer, from) {
      let at = from;
      while (at < buffer.length) {
        if (toSkip > 0) {
          const skipped = Math.min(toSkip, buffer.length - at);
          toSkip -= skipped;
          at += skipped;
        } else if (field !== "nothing") {
          value = (value | (buffer[at++]! << (8 * got++))) >>> 0;
          if (got === need && take()) field = "nothing";
        }
        if (field === "nothing" && toSkip === 0) return at;
      }
      return -1;
    },
    skippable: () => skippable,
  };
}
