/** Owners of connections by sock_diag: the bytes of questions and answers, and the kernel's own. */
import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { endianness, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterAll, describe, expect, it, test } from "vitest";
import type { End } from "../../src/gateway/connection.js";
import { createSocketDiag, isSockDiag, openSocketDiag, readAnswer, questionOf } from "../../src/gateway/socket-diag.js";
import { compileSource } from "../support/compiled-source.mjs";
import { withSockDiag } from "../support/sock-diag.mjs";

const PROGRAM = fileURLToPath(new URL("socket-diag-program.mjs", import.meta.url));
const end = (hex: string, port: number): End => ({ bytes: Uint8Array.from(Buffer.from(hex, "hex")), port });
const NEAR = end("0a000005", 40_000);
const IMDS = end("a9fea9fe", 80);
const NEAR6 = end("20010db8000000000000000000000001", 40_000);
const IMDS6 = end("fd000ec2000000000000000000000254", 80);

/** Bytes as a little-endian machine has them; what is between them is spaces for the eye. */
const bytes = (...hex: string[]) => Buffer.from(hex.join("").replaceAll(" ", ""), "hex");
const zeros = (count: number) => "00".repeat(count);
const ENDS = `9c40 0050 0a000005 ${zeros(12)} a9fea9fe ${zeros(12)}`;

/** An answer as the kernel gives it. */
function answer({
  length = "7c000000",
  type = "1400",
  sequence = "07000000",
  family = "02",
  state = "01",
  ends = ENDS,
  uid = "dc050000",
  inode = "09030000",
} = {}): Buffer {
  return bytes(
    `${length} ${type} 0000 ${sequence} 00000000`,
    `${family} ${state} 00 00 ${ends} 00000000 0102030405060708 00000000 00000000 00000000 ${uid} ${inode}`,
    // An attribute of which nothing is read.
    zeros(36),
  );
}

const failure = (code: string, sequence = "07000000") =>
  bytes(`24000000 0200 0000 ${sequence} 00000000 ${code}`, zeros(16));

describe.skipIf(endianness() === "BE")("a question", () => {
  test("is the one of sock_diag for one TCP connection in any state", () => {
    expect(questionOf(NEAR, IMDS, 7).toString("hex")).toBe(
      bytes("48000000 1400 0100 07000000 00000000", `02 06 00 00 ffffffff ${ENDS} 00000000 ffffffffffffffff`).toString(
        "hex",
      ),
    );
    expect(questionOf(NEAR6, IMDS6, 0xffff_ffff).toString("hex")).toBe(
      bytes(
        "48000000 1400 0100 ffffffff 00000000",
        "0a 06 00 00 ffffffff 9c40 0050 20010db8000000000000000000000001 fd000ec2000000000000000000000254",
        "00000000 ffffffffffffffff",
      ).toString("hex"),
    );
  });
});

describe.skipIf(endianness() === "BE")("an answer", () => {
  const owner = { uid: 1_500, inode: "777" };
  it.each([
    ["names user and socket", answer(), owner],
    ["names root", answer({ uid: "00000000" }), { uid: 0, inode: "777" }],
    ["names the last user there is", answer({ uid: "feffffff" }), { uid: 0xffff_fffe, inode: "777" }],
    ["for a socket of both families", answer({ family: "0a", ends: mappedEnds() }), owner],
    ["half closed by a program that waits", answer({ state: "05" }), owner],
    ["of a socket that waits, which says root", answer({ state: "06", uid: "00000000" }), null],
    ["of a listening socket", answer({ state: "0a" }), null],
    ["of a socket that nobody holds", answer({ inode: "00000000" }), null],
    ["from another port", answer({ ends: ENDS.replace("9c40", "9c41") }), null],
    ["to another port", answer({ ends: ENDS.replace("0050", "0051") }), null],
    ["from another address", answer({ ends: ENDS.replace("0a000005", "0a000006") }), null],
    ["to another address", answer({ ends: ENDS.replace("a9fea9fe", "a9fea9fd") }), null],
    ["of IPv6 that only begins alike", answer({ family: "0a" }), null],
    ["that there is none", failure("feffffff"), null],
    ["that something else failed", failure("eaffffff"), undefined],
    ["to another question", answer({ sequence: "08000000" }), undefined],
    ["that there is none, to another question", failure("feffffff", "08000000"), undefined],
    ["of another kind", answer({ type: "0300" }), undefined],
    ["that was cut", answer().subarray(0, 87), undefined],
    ["that says it is longer", answer({ length: "7d000000" }), undefined],
    ["that is only its header", answer().subarray(0, 16), undefined],
    ["of an error without its number", failure("feffffff").subarray(0, 19), undefined],
    ["that is empty", Buffer.alloc(0), undefined],
  ])("%s", (_, given, expected) => {
    expect(readAnswer(given, NEAR, IMDS, 7)).toEqual(expected);
  });

  it("is whole without attributes, whatever lies around it", () => {
    const around = Buffer.concat([Buffer.alloc(3, 0xee), answer({ length: "58000000" }).subarray(0, 88)]);
    expect(readAnswer(around.subarray(3), NEAR, IMDS, 7)).toEqual(owner);
  });

  it("never names somebody for bytes that no kernel sent", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (random) => {
        expect(readAnswer(Buffer.from(random), NEAR, IMDS, 7) ?? undefined).toBeUndefined();
      }),
    );
    fc.assert(
      fc.property(fc.nat(71 + 16), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = answer();
        changed[at] = (changed[at] ?? 0) ^ flip;
        const told = readAnswer(changed, NEAR, IMDS, 7);
        // Only what is said of the owner, and of the socket besides, can be another.
        if (told) expect({ ...told, ...(at >= 80 ? owner : {}) }).toEqual(owner);
      }),
    );
  });
});

function mappedEnds(): string {
  return `9c40 0050 ${zeros(10)} ffff 0a000005 ${zeros(10)} ffff a9fea9fe`;
}

test("a descriptor that is something else is refused, and not read", async () => {
  expect(openSocketDiag(9_999)).toBeUndefined();
  const file = openSync("/dev/null", "w+");
  expect(openSocketDiag(file)).toBeUndefined();
  closeSync(file);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  expect(openSocketDiag((server as unknown as { _handle: { fd: number } })._handle.fd)).toBeUndefined();
  server.close();
});

test("a descriptor is known by the kernel's list of such sockets", () => {
  const proc = mkdtempSync(join(tmpdir(), "imds-guard-socket-diag-"));
  mkdirSync(join(proc, "self/fd"), { recursive: true });
  mkdirSync(join(proc, "net"));
  for (const [name, link] of Object.entries({ 3: "socket:[17]", 4: "socket:[18]", 5: "pipe:[17]", 6: "socket:[170]" }))
    symlinkSync(link, join(proc, "self/fd", name));
  writeFileSync(
    join(proc, "net/netlink"),
    `sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode
0000000013784aa5 0   18         00000000 0        0        0     2        0        18
00000000ac98c3de 4   0          00000000 0        0        0     2        0        16
00000000ac98c3df 4   4711       00000000 0        0        0     2        0        17
000000003f37c0d8 4
`,
  );
  expect([3, 4, 5, 6].map((descriptor) => isSockDiag(descriptor, proc))).toEqual([true, false, false, false]);
  expect(() => isSockDiag(7, proc)).toThrow("ENOENT");
  rmSync(proc, { recursive: true });
});

describe.skipIf(endianness() === "BE")("asking", () => {
  const asked = { remoteAddress: "10.0.0.5", remotePort: 40_000, localAddress: "127.0.0.1", localPort: 9_100 };
  const direct = `9c40 238c 0a000005 ${zeros(12)} 7f000001 ${zeros(12)}`;
  const owner = { uid: 1_500, inode: "777" };

  /** One that answers as `kernel` does, given where a question leads and its number. */
  function asking(kernel: (far: string, sequence: string) => Buffer) {
    const questions: string[] = [];
    const diag = createSocketDiag((question) => {
      const far = `${question.subarray(44, 60).toString("hex")}:${question.readUInt16BE(26)}`.replace(/0{24}:/, ":");
      questions.push(far);
      return kernel(far, question.subarray(8, 12).toString("hex"));
    });
    return { questions, ask: (given: Partial<typeof asked> = {}) => diag.ownerOf({ ...asked, ...given }) };
  }

  it("is about IMDS first, and then about the port itself", () => {
    const led = asking((_, sequence) => answer({ sequence }));
    expect([led.ask(), led.ask(), led.questions]).toEqual([owner, owner, ["a9fea9fe:80", "a9fea9fe:80"]]);
    const made = asking((far, sequence) =>
      far.startsWith("7f") ? answer({ sequence, ends: direct }) : failure("feffffff", sequence),
    );
    expect([made.ask(), made.questions]).toEqual([owner, ["a9fea9fe:80", "7f000001:9100"]]);
    const nobody = asking((_, sequence) => failure("feffffff", sequence));
    expect([nobody.ask(), nobody.ask(), nobody.questions.length]).toEqual([undefined, undefined, 4]);
    const six = asking((_, sequence) => failure("feffffff", sequence));
    expect(six.ask({ remoteAddress: "2001:db8::1", localAddress: "127.0.0.1" })).toBeUndefined();
    expect(six.questions).toEqual(["fd000ec2000000000000000000000254:80"]);
    expect([six.ask({ remoteAddress: "no address" }), six.questions.length]).toEqual([undefined, 1]);
  });

  it.each([
    ["another question's answer", () => answer({ sequence: "00000000" })],
    ["an error", (_: string, sequence: string) => failure("eaffffff", sequence)],
    [
      "nothing",
      () => {
        throw new Error("EAGAIN");
      },
    ],
  ])("ends for good after %s", (_, kernel) => {
    const { ask, questions } = asking(kernel);
    expect([ask(), ask(), questions.length]).toEqual([undefined, undefined, 1]);
  });
});

const by = process.platform === "linux" ? withSockDiag() : undefined;
if (by === undefined)
  console.log("sock_diag: the kernel itself is not asked: neither Perl nor Python makes a socket of it here");

describe.skipIf(by === undefined)("the kernel", () => {
  const compiled = compileSource("gateway/socket-diag");
  afterAll(() => compiled.remove());
  const [name = "", ...words] = by ?? [];

  it("names the owner of a connection by its ends, and of no other", () => {
    const said = JSON.parse(
      execFileSync(name, [...words, process.execPath, PROGRAM, compiled.url], { encoding: "utf8" }),
    ) as Record<string, unknown>;
    const found = {
      uid: process.getuid?.(),
      ours: true,
      again: true,
      elsewhere: null,
      listening: null,
      ended: null,
    };
    expect(said).toEqual({ four: found, six: found, mapped: found });
  });
});
