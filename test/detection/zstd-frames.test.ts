/** The ends of Zstandard frames, whatever the frames are made of and however they are cut. */
import { describe, expect, it } from "vitest";
import { createFrameWalker } from "../../src/detection/zstd-frames.js";
import { fc } from "../support/properties.js";

const u32 = (value: number): number[] => [value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >>> 24) & 255];
const content = fc.uint8Array({ maxLength: 20 }).map((bytes) => [...bytes]);

/** A block: raw, repeated or compressed (for the walker only its size counts). */
const block = fc
  .tuple(fc.constantFrom(0, 1, 2), content)
  .map(([kind, bytes]) => ({ kind, size: bytes.length, bytes: kind === 1 ? [7] : bytes }));

const dataFrame = fc
  .record({
    blocks: fc.array(block, { minLength: 1, maxLength: 3 }),
    single: fc.boolean(),
    checksum: fc.boolean(),
    size: fc.nat(3),
    dictionary: fc.nat(3),
  })
  .map(({ blocks, single, checksum, size, dictionary }) => {
    const header = [...u32(0xfd2fb528), (size << 6) | (single ? 0x20 : 0) | (checksum ? 4 : 0) | dictionary];
    const rest = (single ? 0 : 1) + [0, 1, 2, 4][dictionary]! + (size === 0 && single ? 1 : [0, 2, 4, 8][size]!);
    const body = blocks.flatMap(({ kind, size: length, bytes }, index) => [
      ...u32((length << 3) | (kind << 1) | (index === blocks.length - 1 ? 1 : 0)).slice(0, 3),
      ...bytes,
    ]);
    return {
      skippable: false,
      bytes: [...header, ...new Array<number>(rest).fill(1), ...body, ...new Array<number>(checksum ? 4 : 0).fill(9)],
    };
  });
const skippableFrame = fc
  .tuple(fc.nat(15), content)
  .map(([kind, bytes]) => ({ skippable: true, bytes: [...u32(0x184d2a50 + kind), ...u32(bytes.length), ...bytes] }));

describe("the walker", { timeout: 60_000 }, () => {
  it("finds the end of each frame", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(dataFrame, skippableFrame), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 30 }),
        (frames, size) => {
          const stream = Uint8Array.from(frames.flatMap(({ bytes }) => bytes));
          const ends: number[] = [];
          const kinds: boolean[] = [];
          let walker = createFrameWalker();
          for (let at = 0; at < stream.length; at += size) {
            const chunk = stream.subarray(at, at + size);
            for (let from = 0; from < chunk.length;) {
              const end = walker.endOfFrame(chunk, from);
              if (end === -1) break;
              ends.push(at + end);
              kinds.push(walker.skippable());
              walker = createFrameWalker();
              from = end;
            }
          }
          let length = 0;
          expect(ends).toEqual(frames.map(({ bytes }) => (length += bytes.length)));
          expect(kinds).toEqual(frames.map(({ skippable }) => skippable));
        },
      ),
    );
  });

  it("finds no end in what is no frame, and never throws", () => {
    expect(createFrameWalker().endOfFrame(Buffer.from("garbage that goes on"), 0)).toBe(-1);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        expect(createFrameWalker().endOfFrame(bytes, 0)).toBeLessThanOrEqual(bytes.length);
      }),
    );
  });
});
