/** Owners of connections in the kernel's tables, and what stands behind them. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it, test } from "vitest";
import { readAccounts } from "../../src/gateway/accounts.js";
import { createCallerLookup, ownerIn, readCgroup } from "../../src/gateway/callers.js";

const HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
/** 10.0.0.5:40000 to 169.254.169.254:80, as a little-endian machine writes it. */
const line = ({
  local = "0500000A:9C40",
  remote = "FEA9FEA9:0050",
  state = "01",
  uid = "1500",
  inode = "777",
} = {}): string =>
  `   1: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000  ${uid}        0 ${inode} 1 0000000000000000 20 4 30 10 -1\n`;
const connection = { remoteAddress: "10.0.0.5", remotePort: 40_000, localAddress: "127.0.0.1", localPort: 9_100 };

describe("the owner of a connection", () => {
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
    ["stated twice for two users", line() + line({ uid: "0" }), undefined],
    ["read twice, while others came and went", line() + line(), { uid: 1_500, inode: "777" }],
    ["in an empty table", "", undefined],
  ])("%s", (_, table, expected) => {
    expect(ownerIn(HEAD + table, connection, 4)).toEqual(expected);
  });

  it("is found for IPv6, and for IPv4 on a socket of both families", () => {
    const six = line({
      local: "0000000000000000FFFF00000500000A:9C40",
      remote: "0000000000000000FFFF0000FEA9FEA9:0050",
    });
    expect(ownerIn(HEAD + six, connection, 6)).toEqual({ uid: 1_500, inode: "777" });
    // 2001:db8::1 to fd00:ec2::254
    const pure = line({
      local: "B80D0120000000000000000001000000:9C40",
      remote: "C20E00FD000000000000000054020000:0050",
    });
    const from = { ...connection, remoteAddress: "2001:db8::1", localAddress: "::1" };
    expect(ownerIn(HEAD + pure, from, 6)).toEqual({ uid: 1_500, inode: "777" });
    expect(ownerIn(HEAD + pure, from, 4)).toBeUndefined();
  });
});

describe("a control group", () => {
  const id = "a".repeat(64);
  it.each([
    ["0::/system.slice/amazon-ssm-agent.service\n", { unit: "amazon-ssm-agent.service", container: undefined }],
    [`0::/system.slice/docker-${id}.scope\n`, { unit: `docker-${id}.scope`, container: id }],
    [
      `0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-${id}.scope\n`,
      { unit: `cri-containerd-${id}.scope`, container: id },
    ],
    [`12:pids:/docker/${id}\n0::/\n`, { unit: undefined, container: id }],
    ["0::/user.slice/user-1000.slice/session-3.scope\n", { unit: "session-3.scope", container: undefined }],
    // A user names the groups below its own unit as it likes.
    [
      "0::/user.slice/user-1000.slice/user@1000.service/app.slice/amazon-ssm-agent.service\n",
      { unit: "user@1000.service", container: undefined },
    ],
    [
      `0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-${id}.scope\n`,
      { unit: "user@1000.service", container: undefined },
    ],
    ["0::/\n", { unit: undefined, container: undefined }],
    ["", { unit: undefined, container: undefined }],
  ])("%s", (text, expected) => {
    expect(readCgroup(text)).toEqual(expected);
  });
});

test.skipIf(process.platform !== "linux")("a connection of this very process is its own", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const accepted = new Promise<import("node:net").Socket>((resolve) => server.once("connection", resolve));
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const socket = await accepted;
  const ends = {
    remoteAddress: socket.remoteAddress!,
    remotePort: socket.remotePort!,
    localAddress: socket.localAddress!,
    localPort: socket.localPort!,
  };
  const lookup = createCallerLookup(readAccounts());
  const [owner, again] = await Promise.all([lookup.userOf(ends), lookup.userOf(ends)]);
  const caller = await lookup.identify(ends, owner, undefined, true);
  expect(await lookup.identify(ends, owner, undefined, false)).toEqual(caller);
  client.destroy();
  socket.destroy();
  await new Promise((resolve) => server.close(resolve));
  expect(owner).toEqual(again);
  expect(caller).toMatchObject({ uid: process.getuid?.(), pid: process.pid, bridge: undefined, address: "127.0.0.1" });
  expect(await lookup.userOf({ ...ends, remotePort: 1 })).toBeUndefined();
});

describe.skipIf(process.platform !== "linux")("what stands behind a socket", () => {
  const own = process.getuid?.() ?? 0;
  let proc = "";
  afterEach(() => rmSync(proc, { recursive: true, force: true }));

  /** A stand-in for /proc: processes of this user, with the sockets that they hold and the unit that they are in. */
  function processes(
    ...given: readonly { pid: number; unit: string; inodes?: readonly string[]; comm?: string }[]
  ): void {
    proc = mkdtempSync(join(tmpdir(), "imds-guard-proc-"));
    for (const { pid, unit, inodes, comm = "app" } of given) {
      mkdirSync(join(proc, String(pid)));
      writeFileSync(join(proc, String(pid), "cgroup"), `0::/system.slice/${unit}\n`);
      writeFileSync(join(proc, String(pid), "comm"), `${comm}\n`);
      if (inodes === undefined) continue;
      mkdirSync(join(proc, String(pid), "fd"));
      for (const [fd, inode] of inodes.entries())
        symlinkSync(`socket:[${inode}]`, join(proc, String(pid), "fd", String(fd)));
    }
  }

  const identify = (inode: string, exact = true, lookup = createCallerLookup(readAccounts(), proc)) =>
    lookup.identify(connection, { uid: own, inode }, undefined, exact);

  it("is named by the program that holds it", async () => {
    processes(
      { pid: 10, unit: "a.service", inodes: ["1", "777"], comm: "curl" },
      { pid: 11, unit: "b.service", inodes: ["2"] },
    );
    expect(await identify("777")).toMatchObject({ uid: own, pid: 10, program: "curl", unit: "a.service" });
  });

  it("has no unit where its holders are in two", async () => {
    processes({ pid: 10, unit: "a.service", inodes: ["777"] }, { pid: 11, unit: "b.service", inodes: ["777"] });
    expect(await identify("777")).toMatchObject({ pid: 11, unit: undefined });
    processes({ pid: 10, unit: "a.service", inodes: ["777"] }, { pid: 11, unit: "a.service", inodes: ["777"] });
    expect(await identify("777")).toMatchObject({ unit: "a.service" });
  });

  it("has the unit that all processes of its user share where nobody tells who holds it", async () => {
    processes({ pid: 10, unit: "a.service" }, { pid: 11, unit: "a.service" });
    expect(await identify("777")).toMatchObject({ pid: undefined, program: undefined, unit: "a.service" });
    processes({ pid: 10, unit: "a.service" }, { pid: 11, unit: "b.service" });
    expect(await identify("777")).toMatchObject({ pid: undefined, unit: undefined });
  });

  it("is told from memory for a second where no rule asks for it, and never where one does", async () => {
    processes({ pid: 10, unit: "a.service" });
    let now = 0;
    const lookup = createCallerLookup(readAccounts(), proc, () => now);
    expect(await identify("777", false, lookup)).toMatchObject({ unit: "a.service" });
    mkdirSync(join(proc, "11"));
    writeFileSync(join(proc, "11", "cgroup"), "0::/system.slice/b.service\n");
    expect(await identify("778", false, lookup)).toMatchObject({ unit: "a.service" });
    expect(await identify("779", true, lookup)).toMatchObject({ unit: undefined });
    rmSync(join(proc, "11"), { recursive: true });
    now = 999;
    expect(await identify("780", false, lookup)).toMatchObject({ unit: undefined });
    now = 1_000;
    expect(await identify("781", false, lookup)).toMatchObject({ unit: "a.service" });
  });

  it("is looked for once, however many ask at once", async () => {
    processes(
      { pid: 10, unit: "a.service", inodes: ["1", "2", "3"], comm: "one" },
      { pid: 11, unit: "b.service", inodes: ["4"], comm: "two" },
    );
    const lookup = createCallerLookup(readAccounts(), proc);
    const callers = await Promise.all(["1", "2", "3", "4", "5"].map((inode) => identify(inode, false, lookup)));
    expect(callers.map(({ program }) => program)).toEqual(["one", "one", "one", "two", undefined]);
    // Known by now, and still only by what it holds.
    expect(await identify("4", false, lookup)).toMatchObject({ program: "two" });
    rmSync(join(proc, "11"), { recursive: true });
    expect(await identify("4", false, lookup)).toMatchObject({ program: undefined });
  });
});
