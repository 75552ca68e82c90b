/** Owners of connections in the kernel's tables. */
import { describe, expect, it } from "vitest";
import { ownerIn, readTable } from "../../src/gateway/socket-table.js";
import { connection, HEAD, line } from "./kernel-table.js";

const NEAR_ENDS = new Set([
  "0500000A:9C40",
  "0000000000000000FFFF00000500000A:9C40",
  "B80D0120000000000000000001000000:9C40",
]);
/** As the kernel gives it, page by page. */
const tableOf = (text: string) => readTable(text.match(/[\s\S]{1,100}/g) ?? [], NEAR_ENDS);

describe("the owner of a connection", () => {
  it("is looked for in the lines that begin where it does, wherever pages end", () => {
    const lines = [line({ inode: "1" }), line({ local: "0500000A:9C41" }), line({ inode: "2" }), line({ inode: "3" })];
    const text = (HEAD + lines.join("")).trimEnd();
    const expected = new Map([["0500000A:9C40", [0, 2, 3].map((index) => lines[index]!.trimEnd())]]);
    for (let at = 0; at <= text.length; at += 1)
      expect(readTable([text.slice(0, at), text.slice(at)], NEAR_ENDS)).toEqual(expected);
    expect(readTable([], NEAR_ENDS)).toEqual(new Map());
  });

  it.each([
    ["led here by the packet filter", line(), { uid: 1_500, inode: "777" }],
    ["made to the port itself", line({ remote: "0100007F:238C" }), { uid: 1_500, inode: "777" }],
    ["to somewhere else from the same port", line({ remote: "08080808:0050" }), undefined],
    ["from another port", line({ local: "0500000A:9C41" }), undefined],
    ["with the ends exchanged", line({ local: "FEA9FEA9:0050", remote: "0500000A:9C40" }), undefined],
    // Of a socket that nobody holds any more the kernel says user 0.
    ["in TIME_WAIT, which says root", line({ state: "06", uid: "0", inode: "0" }), undefined],
    ["left behind by a program that ended, which says root", line({ state: "05", uid: "0", inode: "0" }), undefined],
    ["half closed by a program that waits for the answer", line({ state: "05" }), { uid: 1_500, inode: "777" }],
    ["stated twice", line() + line({ uid: "0", inode: "778" }), undefined],
    ["stated twice for two sockets", line() + line({ inode: "778" }), undefined],
    ["stated twice for two users", line() + line({ uid: "0" }), undefined],
    ["read twice, while others came and went", line() + line(), { uid: 1_500, inode: "777" }],
    ["in an empty table", "", undefined],
    ["in the last line of a table that was cut", line().trimEnd(), { uid: 1_500, inode: "777" }],
    ["behind one that is none", line({ state: "06" }) + line({ inode: "779" }), { uid: 1_500, inode: "779" }],
    ["before one that is none", line({ inode: "779" }) + line({ state: "07" }), { uid: 1_500, inode: "779" }],
    ...["06", "07", "09", "0A", "0C"].map((state): [string, string, undefined] => [
      `in state ${state}, in which it has no owner`,
      line({ state }),
      undefined,
    ]),
    ["of root, which is somebody", line({ uid: "0" }), { uid: 0, inode: "777" }],
    ["of a user that is no number", line({ uid: "x1" }), undefined],
    ["of a user that begins with a number", line({ uid: "1x" }), undefined],
    ["in a line that ends before its inode", line().replace(/ 0 777 .*/, ""), undefined],
    ["in a line that ends too early", "   1: 0500000A:9C40 FEA9FEA9:0050 01\n", undefined],
  ])("%s", (_, table, expected) => {
    expect(ownerIn(tableOf(HEAD + table), connection, 4)).toEqual(expected);
  });

  it("is found for IPv6, and for IPv4 on a socket of both families", () => {
    const six = line({
      local: "0000000000000000FFFF00000500000A:9C40",
      remote: "0000000000000000FFFF0000FEA9FEA9:0050",
    });
    expect(ownerIn(tableOf(HEAD + six), connection, 6)).toEqual({ uid: 1_500, inode: "777" });
    // 2001:db8::1 to fd00:ec2::254
    const pure = line({
      local: "B80D0120000000000000000001000000:9C40",
      remote: "C20E00FD000000000000000054020000:0050",
    });
    const from = { ...connection, remoteAddress: "2001:db8::1", localAddress: "::1" };
    expect(ownerIn(tableOf(HEAD + pure), from, 6)).toEqual({ uid: 1_500, inode: "777" });
    expect(ownerIn(tableOf(HEAD + pure), from, 4)).toBeUndefined();
  });
});
