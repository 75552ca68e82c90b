/** Owners of connections in the kernel's tables, and what stands behind them. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, describe, expect, it, test } from "vitest";
import { readAccounts } from "../../src/gateway/accounts.js";
import { createCallerLookup, readCgroup } from "../../src/gateway/callers.js";
import { connection, HEAD, line } from "./kernel-table.js";

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
    ["2:cpu:/\n1:name=systemd:/system.slice/a.service\n", { unit: "a.service", container: undefined }],
    ["0::/system.slice/a:b.service\n", { unit: "a:b.service", container: undefined }],
    ["0::/system.slice/a.socket\n", { unit: "a.socket", container: undefined }],
    ["0::/system.slice/run-x.mount\n", { unit: "run-x.mount", container: undefined }],
    ["0::/system.slice/a.services\n", { unit: undefined, container: undefined }],
    [`0::/docker/0${id}\n`, { unit: undefined, container: undefined }],
    [`0::/${id}/x\n`, { unit: undefined, container: id }],
    [`0::/x.slice/user.slice/${id}\n`, { unit: undefined, container: id }],
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
  const lookup = createCallerLookup({ accounts: readAccounts() });
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

test.skipIf(process.platform !== "linux")(
  "each of many connections is found, on whichever page of the table",
  async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const accepted: import("node:net").Socket[] = [];
    const all = new Promise<void>((resolve) => {
      server.on("connection", (socket) => accepted.push(socket) === 120 && resolve());
    });
    const clients = Array.from({ length: 120 }, () => connect(port, "127.0.0.1"));
    await all;
    const lookup = createCallerLookup({ accounts: readAccounts() });
    const owners = await Promise.all(
      accepted.map((socket) =>
        lookup.userOf({
          remoteAddress: socket.remoteAddress!,
          remotePort: socket.remotePort!,
          localAddress: "127.0.0.1",
          localPort: port,
        }),
      ),
    );
    for (const socket of [...clients, ...accepted]) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    expect(new Set(owners.map((owner) => owner?.uid))).toEqual(new Set([process.getuid?.()]));
    expect(new Set(owners.map((owner) => owner?.inode)).size).toBe(120);
  },
);

describe.skipIf(process.platform !== "linux")("what stands behind a socket", () => {
  const own = process.getuid?.() ?? 0;
  let proc = "";
  const made: string[] = [];
  afterEach(() => {
    for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true });
  });

  /** A stand-in for /proc: processes of this user, with the sockets that they hold and the unit that they are in. */
  function processes(
    ...given: readonly { pid: number; unit: string; inodes?: readonly string[]; comm?: string }[]
  ): void {
    proc = mkdtempSync(join(tmpdir(), "imds-guard-proc-"));
    made.push(proc);
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

  const identify = (inode: string, exact = true, lookup = createCallerLookup({ accounts: readAccounts(), proc })) =>
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

  it("is looked for to the end where one of those who ask at once needs that", async () => {
    processes({ pid: 10, unit: "a.service", inodes: ["777"] }, { pid: 11, unit: "b.service", inodes: ["777"] });
    const lookup = createCallerLookup({ accounts: readAccounts(), proc });
    const asked = [false, true, false].map((exact) => identify("777", exact, lookup));
    expect((await Promise.all(asked)).map(({ unit }) => unit)).toEqual([undefined, undefined, undefined]);
  });

  it("is the youngest program's that holds it where it is no matter who else does, and one's that asked before first", async () => {
    processes(
      { pid: 10, unit: "a.service", inodes: ["1", "777"] },
      { pid: 11, unit: "b.service", inodes: ["777", "778"] },
      { pid: 12, unit: "c.service", inodes: ["2", "778"] },
    );
    const lookup = createCallerLookup({ accounts: readAccounts(), proc });
    const found = async (inode: string) => {
      const { pid, unit } = await identify(inode, false, lookup);
      return [pid, unit];
    };
    expect(await found("777")).toEqual([11, "b.service"]);
    expect(await found("1")).toEqual([10, "a.service"]);
    // The last that asked is the first to be looked at.
    expect(await found("777")).toEqual([10, "a.service"]);
    expect(await found("778")).toEqual([11, "b.service"]);
    expect(await found("777")).toEqual([11, "b.service"]);
    // And what none of them holds is looked for among all.
    expect(await found("2")).toEqual([12, "c.service"]);
    expect(await found("778")).toEqual([12, "c.service"]);
  });

  it("is told from memory for so many users, and of more for those met last", async () => {
    processes({ pid: 10, unit: "a.service" });
    const lookup = createCallerLookup({ accounts: readAccounts(join(proc, "none")), proc, now: () => 0 });
    const meet = (uid: number) => lookup.identify(connection, { uid, inode: "1" }, undefined, false);
    await meet(own);
    for (let index = 1; index <= 255; index += 1) await meet(100_000 + index);
    writeFileSync(join(proc, "10", "cgroup"), "0::/system.slice/b.service\n");
    expect(await meet(own)).toMatchObject({ unit: "a.service" });
    await meet(100_256);
    expect(await meet(own)).toMatchObject({ unit: "b.service" });
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
    const lookup = createCallerLookup({ accounts: readAccounts(), proc, now: () => now });
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
    const lookup = createCallerLookup({ accounts: readAccounts(), proc });
    const callers = await Promise.all(["1", "2", "3", "4", "5"].map((inode) => identify(inode, false, lookup)));
    expect(callers.map(({ program }) => program)).toEqual(["one", "one", "one", "two", undefined]);
    // Known by now, and still only by what it holds.
    expect(await identify("4", false, lookup)).toMatchObject({ program: "two" });
    rmSync(join(proc, "11"), { recursive: true });
    expect(await identify("4", false, lookup)).toMatchObject({ program: undefined });
  });

  it("is held by what its links say, and by nothing that only looks like it", async () => {
    processes({ pid: 10, unit: "a.service", inodes: [] }, { pid: 11, unit: "b.service", inodes: ["778"] });
    for (const [fd, to] of ["pipe:[777]", "xsocket:[777]", "socket:[777]x", "/dev/null"].entries())
      symlinkSync(to, join(proc, "10", "fd", String(fd)));
    mkdirSync(join(proc, "10x", "fd"), { recursive: true });
    mkdirSync(join(proc, "x12", "fd"), { recursive: true });
    for (const odd of ["10x", "x12"]) symlinkSync("socket:[777]", join(proc, odd, "fd", "0"));
    expect(await identify("777")).toMatchObject({ pid: undefined, program: undefined });
  });

  it("is the youngest's of those that hold it, which are told to be many up to eight", async () => {
    const given = Array.from({ length: 10 }, (_, index) => ({
      pid: 10 + index,
      // The oldest two are in another unit.
      unit: index < 2 ? "old.service" : "new.service",
      inodes: ["777", "777"],
    }));
    processes(...given);
    expect(await identify("777")).toMatchObject({ pid: 19, unit: "new.service" });
    processes(...given.slice(1, 9));
    expect(await identify("777")).toMatchObject({ pid: 18, unit: undefined });
  });

  it("is not looked for again for a second where no process lets itself be looked into", async () => {
    processes({ pid: 10, unit: "a.service" });
    let now = 0;
    const lookup = createCallerLookup({ accounts: readAccounts(), proc, now: () => now });
    expect(await identify("777", false, lookup)).toMatchObject({ pid: undefined });
    mkdirSync(join(proc, "10", "fd"));
    symlinkSync("socket:[777]", join(proc, "10", "fd", "0"));
    now = 999;
    expect(await identify("777", false, lookup)).toMatchObject({ pid: undefined });
    now = 1_000;
    expect(await identify("777", false, lookup)).toMatchObject({ pid: 10 });
  });

  it("is looked for again at once where processes let themselves be looked into, and nobody held it", async () => {
    processes({ pid: 10, unit: "a.service", inodes: ["1"] });
    const lookup = createCallerLookup({ accounts: readAccounts(), proc, now: () => 0 });
    expect(await identify("777", false, lookup)).toMatchObject({ pid: undefined, unit: "a.service" });
    symlinkSync("socket:[777]", join(proc, "10", "fd", "7"));
    expect(await identify("777", false, lookup)).toMatchObject({ pid: 10, program: "app" });
  });

  it("of another user is nobody's", async () => {
    processes({ pid: 10, unit: "a.service", inodes: ["777"] });
    const lookup = createCallerLookup({ accounts: readAccounts(), proc, now: () => 0 });
    const other = { uid: own + 1, inode: "777" };
    expect(await lookup.identify(connection, other, undefined, true)).toMatchObject({
      uid: own + 1,
      pid: undefined,
      unit: undefined,
    });
  });

  it("that has no owner is told by its address and bridge alone", async () => {
    processes({ pid: 10, unit: "a.service", inodes: ["777"] });
    const lookup = createCallerLookup({ accounts: readAccounts(), proc, now: () => 0 });
    expect(await lookup.identify(connection, undefined, "docker0", true)).toEqual({
      uid: undefined,
      user: undefined,
      gids: [],
      pid: undefined,
      program: undefined,
      unit: undefined,
      container: undefined,
      address: "10.0.0.5",
      bridge: "docker0",
    });
  });

  describe("in the tables of the kernel", () => {
    const tables = (four: string, six = ""): void => {
      processes();
      mkdirSync(join(proc, "net"));
      writeFileSync(join(proc, "net", "tcp"), HEAD + four);
      writeFileSync(join(proc, "net", "tcp6"), HEAD + six);
    };
    const mapped = line({
      local: "0000000000000000FFFF00000500000A:9C40",
      remote: "0000000000000000FFFF0000FEA9FEA9:0050",
      inode: "6",
    });
    const ask = (given: Partial<typeof connection> = {}) =>
      createCallerLookup({ accounts: readAccounts(), proc }).userOf({ ...connection, ...given });

    it("is taken from that of IPv4 first, and else from that of IPv6", async () => {
      tables(line(), mapped);
      expect(await ask()).toMatchObject({ inode: "777" });
      expect(await ask({ localAddress: "::ffff:127.0.0.1", remoteAddress: "::FFFF:10.0.0.5" })).toMatchObject({
        inode: "777",
      });
      expect(await ask({ localAddress: "10.0.0.1" })).toMatchObject({ inode: "777" });
      expect(await ask({ localAddress: "::1" })).toMatchObject({ inode: "6" });
      tables("", mapped);
      expect(await ask()).toMatchObject({ inode: "6" });
      expect(await ask({ localAddress: "10.0.0.1" })).toMatchObject({ inode: "6" });
      expect(await ask({ remoteAddress: "no address" })).toBeUndefined();
    });

    it("is found behind however many others", async () => {
      await fc.assert(
        fc.asyncProperty(fc.nat(1_200), fc.nat(300), async (others, length) => {
          tables(`${line({ local: "0500000A:9C41" }).repeat(others)}${" ".repeat(length)}\n${line()}`);
          expect(await ask()).toEqual({ uid: 1_500, inode: "777" });
          rmSync(proc, { recursive: true });
        }),
        { numRuns: 50 },
      );
    });

    it("is looked for once more where it has to be, and not where it need not", async () => {
      tables("");
      const late = async (localAddress: string) => {
        const asked = ask({ localAddress });
        // Between the first reading and the third: each begins with the second turn, for the first brought who asks.
        for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
        writeFileSync(join(proc, "net", "tcp"), HEAD + line());
        const owner = await asked;
        writeFileSync(join(proc, "net", "tcp"), HEAD);
        return owner;
      };
      expect(await late("127.0.0.1")).toMatchObject({ inode: "777" });
      expect(await late("10.0.0.1")).toBeUndefined();
    });

    it("is read once for those who come turn after turn, and not before the last of them has come", async () => {
      const lines = Array.from({ length: 20 }, (_, index) =>
        line({ local: `0500000A:${(0x9c40 + index).toString(16).toUpperCase()}`, inode: String(1_000 + index) }),
      );
      tables("");
      const lookup = createCallerLookup({ accounts: readAccounts(), proc });
      const owners: Promise<unknown>[] = [];
      for (let index = 0; index < 20; index += 1) {
        owners.push(lookup.userOf({ ...connection, localAddress: "10.0.0.1", remotePort: 40_000 + index }));
        writeFileSync(join(proc, "net", "tcp"), HEAD + lines.slice(0, index + 1).join(""));
        await new Promise((resolve) => setImmediate(resolve));
      }
      writeFileSync(join(proc, "net", "tcp"), HEAD + lines.map((each) => each.replace("1500", "1600")).join(""));
      expect(await Promise.all(owners)).toEqual(
        lines.map((_, index) => ({ uid: 1_600, inode: String(1_000 + index) })),
      );
    });

    it("is read for the first of those who come without end", async () => {
      tables(line());
      const lookup = createCallerLookup({ accounts: readAccounts(), proc });
      let first: unknown;
      const asked = lookup.userOf(connection).then((owner) => (first = owner));
      for (let turn = 0; turn < 1_000 && first === undefined; turn += 1) {
        void lookup.userOf({ ...connection, remotePort: 1 });
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect(first).toMatchObject({ inode: "777" });
      await asked;
    });

    it("is closed again", async () => {
      tables(line());
      const lookup = createCallerLookup({ accounts: readAccounts(), proc });
      const held = () => readdirSync("/proc/self/fd").length;
      const before = held();
      for (let index = 0; index < 50; index += 1) await lookup.userOf(connection);
      expect(held()).toBeLessThan(before + 25);
    });

    it("is read anew for each turn", async () => {
      tables(line());
      const lookup = createCallerLookup({ accounts: readAccounts(), proc });
      expect(await lookup.userOf(connection)).toMatchObject({ inode: "777" });
      tables(line({ inode: "778" }));
      expect(await createCallerLookup({ accounts: readAccounts(), proc }).userOf(connection)).toMatchObject({
        inode: "778",
      });
      writeFileSync(join(proc, "net", "tcp"), HEAD + line({ inode: "779" }));
      const same = createCallerLookup({ accounts: readAccounts(), proc });
      expect(await same.userOf(connection)).toMatchObject({ inode: "779" });
      writeFileSync(join(proc, "net", "tcp"), HEAD + line({ inode: "780" }));
      expect(await same.userOf(connection)).toMatchObject({ inode: "780" });
    });
  });
});
