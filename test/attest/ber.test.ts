/** The BER reader: what it reads, what it refuses, and that it never reads outside its bytes. */
import { describe, expect, test } from "vitest";
import { readBer } from "../../src/attest/ber.js";
import { indefinite, integer, octets, sequence, tlv } from "../support/identity-signer.mjs";
import { outcomeOf } from "./outcome.js";
import { fc } from "../support/properties.js";

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex");
const nested = (depth: number): Buffer => (depth === 1 ? integer(1) : sequence(nested(depth - 1)));
const nestedIndefinitely = (depth: number): Buffer =>
  depth === 1 ? integer(1) : indefinite(0x30, nestedIndefinitely(depth - 1));

describe("readBer", () => {
  test.each([
    ["an empty element", hex("05 00")],
    ["a primitive", hex("02 01 01")],
    ["an empty sequence", hex("30 00")],
    ["an empty sequence of indefinite length", hex("30 80 00 00")],
    ["a length of one octet", octets(Buffer.alloc(0x80))],
    ["a length of two octets", octets(Buffer.alloc(0x100))],
    ["16 levels", nested(16)],
    ["16 levels of indefinite length", nestedIndefinitely(16)],
    ["a context-specific element", hex("a0 03 02 01 01")],
  ])("reads %s", (_, bytes) => {
    expect(readBer(bytes).raw).toEqual(bytes);
  });

  test.each([
    ["no bytes", "", "ber-truncated"],
    ["a tag alone", "30", "ber-truncated"],
    ["content cut short", "04 02 00", "ber-truncated"],
    ["a length cut short", "04 81", "ber-truncated"],
    ["a length of two octets cut short", "04 82 01", "ber-truncated"],
    ["a child that ends after its parent", "30 03 04 02 00 00", "ber-truncated"],
    ["an indefinite length without end", "30 80 02 01 01", "ber-truncated"],
    ["an indefinite length with half an end", "30 80 02 01 01 00", "ber-truncated"],
    ["an end of contents outside its parent", "30 04 30 80 05 00 00 00", "ber-truncated"],
    ["a primitive of indefinite length", "04 80 00 00", "ber-length"],
    ["a long form where the short would do", "04 81 01 00", "ber-length"],
    ["two octets where one would do", `04 82 00 80 ${"00".repeat(128)}`, "ber-length"],
    ["a length of three octets", "04 83 01 00 00", "ber-length"],
    ["a reserved length", "04 ff 00", "ber-length"],
    ["a high tag number", "1f 81 01 00", "ber-tag"],
    ["an application class", "41 00", "ber-tag"],
    ["a private class", "c1 00", "ber-tag"],
    ["an end of contents as element", "00 00", "ber-tag"],
    ["an end of contents in a definite sequence", "30 02 00 00", "ber-tag"],
    ["an end of contents with content", "30 80 00 01 00 00 00", "ber-tag"],
    ["a constructed tag 0", "20 00", "ber-tag"],
    ["one byte too many", "05 00 00", "ber-trailing"],
    ["a second element", "05 00 05 00", "ber-trailing"],
    ["end of contents too many", "30 80 00 00 00 00", "ber-trailing"],
  ])("refuses %s", (_, bytes, rule) => {
    expect(outcomeOf(() => readBer(hex(bytes)))).toBe(rule);
  });

  test.each([
    ["definite", nested(17)],
    ["indefinite", nestedIndefinitely(17)],
  ])("refuses 17 levels of %s length", (_, bytes) => {
    expect(outcomeOf(() => readBer(bytes))).toBe("ber-depth");
  });

  test("is definite only when everything below is", () => {
    expect(readBer(sequence(sequence(integer(1)))).definite).toBe(true);
    expect(readBer(sequence(sequence(indefinite(0x30, integer(1))))).definite).toBe(false);
    expect(readBer(indefinite(0x30, integer(1))).definite).toBe(false);
  });

  test("leaves header and end marker out of the body", () => {
    const element = readBer(indefinite(0x30, integer(1), integer(2)));
    expect(element.body).toEqual(Buffer.concat([integer(1), integer(2)]));
    expect(element.children.map((child) => child.body)).toEqual([Buffer.from([1]), Buffer.from([2])]);
  });

  test("reads back every tree that is written, in either form of length", () => {
    type Tree = { tag: number; leaf: Uint8Array } | { tag: number; open: boolean; children: Tree[] };
    const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 8 },
        fc.record({
          tag: fc.constantFrom(0x02, 0x04, 0x06, 0x13, 0x80, 0x9e),
          leaf: fc.uint8Array({ maxLength: 300 }),
        }),
        fc.record({
          tag: fc.constantFrom(0x24, 0x30, 0x31, 0xa0, 0xa3),
          open: fc.boolean(),
          children: fc.array(tie("tree"), { maxLength: 4 }),
        }),
      ),
    }));
    const write = (node: Tree): Buffer =>
      "leaf" in node
        ? tlv(node.tag, Buffer.from(node.leaf))
        : (node.open ? indefinite : tlv)(node.tag, ...node.children.map(write));
    const check = (element: ReturnType<typeof readBer>, node: Tree): void => {
      expect(element.tag).toBe(node.tag);
      if ("leaf" in node) expect(element.body).toEqual(Buffer.from(node.leaf));
      else {
        expect(element.children.length).toBe(node.children.length);
        node.children.forEach((child, index) => check(element.children[index] as typeof element, child));
      }
    };
    fc.assert(fc.property(tree, (node) => check(readBer(write(node)), node)));
  });

  test("any bytes are read whole or refused by a rule", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const outcome = outcomeOf(() => expect(readBer(Buffer.from(bytes)).raw.length).toBe(bytes.length));
        expect(outcome).toMatch(/^(ok|ber-[a-z]+)$/);
      }),
      { numRuns: 5_000 },
    );
  });
});
