/**
 * Outputs that go away and come back: a reader that does not read, a file without room, a syslog receiver that dies.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { GuardEvent } from "../../src/events/catalogue.js";
import { fileOutput } from "../../src/monitor/file-output.js";
import { metricsText } from "../../src/monitor/metrics.js";
import { createSpool, MAX_WAITING } from "../../src/monitor/output.js";
import { stdoutOutput } from "../../src/monitor/stdout-output.js";
import { syslogOutput } from "../../src/monitor/syslog-output.js";
import { droppedMessage, frame, parseSyslogTarget, syslogMessage } from "../../src/monitor/syslog.js";
import { realSystem } from "../../src/base/system.js";
import { anyCode, anyDetails, eventOf } from "../events/samples.js";
import { fc } from "../support/properties.js";

let folder: string;
const closing: (() => unknown)[] = [];
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "imds-guard-outputs-"))));
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  rmSync(folder, { recursive: true });
});

const numbered = (n: number): GuardEvent => eventOf("monitor.responder_gone", { message: `number ${n}` });
const line = ({ message }: GuardEvent): string => message;
const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, n) => `number ${from + n}`);
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(5);
}

test("a spool keeps the oldest in order and counts what it drops", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.nat(), fc.constant("take"), fc.constant("back")), { maxLength: 60 }), (steps) => {
      const spool = createSpool<number>(5);
      let expected: number[] = [];
      let dropped = 0;
      for (const step of steps) {
        if (step === "take") expect(spool.shift()).toBe(expected.shift());
        else if (step === "back") {
          spool.putBack([1, 2]);
          expected = [1, 2, ...expected];
        } else {
          spool.push(step as number);
          if (expected.length < 5) expected.push(step as number);
          else dropped += 1;
        }
        expect([spool.length, spool.dropped]).toEqual([expected.length, dropped]);
      }
    }),
  );
});

describe("stdout", () => {
  test("takes no more than the reader does, and nothing is lost within the bound", async () => {
    const stream = new PassThrough({ highWaterMark: 64 });
    const output = stdoutOutput(stream, line);
    for (let n = 0; n < 50; n += 1) output.write(numbered(n));
    expect(output.status().waiting).toBeGreaterThan(0);
    let read = "";
    stream.setEncoding("utf8").on("data", (text: string) => (read += text));
    await until(() => output.status().waiting === 0);
    await output.close(1_000);
    expect(read.trimEnd().split("\n")).toEqual(numbers(0, 50));
    expect(output.status()).toEqual({ delivered: 50, waiting: 0, dropped: 0 });
  });

  test("a reader that never reads costs a bounded number of events and no time at the end", async () => {
    const stream = new Writable({ highWaterMark: 1, write: () => undefined });
    const output = stdoutOutput(stream, line);
    for (let n = 0; n < MAX_WAITING + 10; n += 1) output.write(numbered(n));
    await output.close(50);
    expect(output.status()).toEqual({ delivered: 1, waiting: MAX_WAITING, dropped: 9 });
  });
});

describe("file", () => {
  const open = (more: Partial<Parameters<typeof fileOutput>[0]> = {}) =>
    fileOutput({
      path: join(folder, "events.jsonl"),
      encode: ({ message }) => ({ message }),
      maxBytes: 200,
      keep: 3,
      ...more,
    });
  const read = (name: string): string[] =>
    readFileSync(join(folder, name), "utf8")
      .trimEnd()
      .split("\n")
      .map((text) => (JSON.parse(text) as { message: string }).message);

  test("is rotated by size, and the oldest go", () => {
    const output = open();
    for (let n = 0; n < 60; n += 1) output.write(numbered(n));
    expect(readdirSync(folder).toSorted()).toEqual([
      "events.jsonl",
      "events.jsonl.1",
      "events.jsonl.2",
      "events.jsonl.3",
    ]);
    const kept = ["events.jsonl.3", "events.jsonl.2", "events.jsonl.1", "events.jsonl"].flatMap(read);
    expect(kept).toEqual(numbers(60 - kept.length, 60));
    expect(output.status()).toEqual({ delivered: 60, waiting: 0, dropped: 0 });
  });

  test("is not rotated where that is not wanted", () => {
    const output = open({ maxBytes: Number.POSITIVE_INFINITY, keep: 0 });
    for (let n = 0; n < 60; n += 1) output.write(numbered(n));
    expect(read("events.jsonl")).toEqual(numbers(0, 60));
  });

  test("waits for its directory, and is written with the next try", async () => {
    const failures: string[] = [];
    const output = open({ path: join(folder, "late", "events.jsonl"), onFailure: (code) => failures.push(code) });
    for (let n = 0; n < 300; n += 1) output.write(numbered(n));
    expect(output.status()).toEqual({ delivered: 0, waiting: 256, dropped: 44 });
    mkdirSync(join(folder, "late"));
    output.retry();
    expect(output.status()).toEqual({ delivered: 256, waiting: 0, dropped: 44 });
    expect(failures).toEqual(["ENOENT"]);
    await output.close(0);
  });

  test.skipIf(process.platform === "win32")("a pipe in its place is left alone", () => {
    const failures: string[] = [];
    const path = join(folder, "events.jsonl");
    execFileSync("mkfifo", [path]);
    const output = open({ path, maxBytes: 1, onFailure: (code) => failures.push(code) });
    output.write(numbered(1));
    expect(failures).toEqual(["ENXIO"]);
    expect(existsSync(`${path}.1`)).toBe(false);
  });
});

describe("syslog messages", () => {
  test("are RFC 5424, one line of ASCII", () => {
    const event = eventOf("imds.impersonation_detected", { message: "x" });
    expect(syslogMessage(event, "text \u00e9\n")).toMatch(
      /^<82>1 2026-01-02T03:04:05\.678Z [!-~]+ imds-guard 4711 imds\.impersonation_detected - text \\u00e9\\u000a$/,
    );
    expect(droppedMessage(event.time, 1, 3)).toMatch(/^<84>1 \S+ \S+ imds-guard 1 dropped - \{"dropped":3\}$/);
  });

  test("whatever the event: the header has its parts, and JSON stays JSON", () => {
    fc.assert(
      fc.property(anyCode, anyDetails, (code, details) => {
        const event = eventOf(code, details);
        const message = syslogMessage(event, JSON.stringify(event));
        expect(message).toMatch(/^<\d{2}>1 \S{24} [!-~]{1,255} imds-guard \d+ [!-~]{1,32} - [ -~]*$/);
        expect(JSON.parse(message.slice(message.indexOf(" - ") + 3))).toEqual(JSON.parse(JSON.stringify(event)));
        expect(frame(message, "tcp").toString()).toBe(`${message.length} ${message}`);
      }),
    );
  });

  test.each([
    ["tcp://siem.example", { kind: "tcp", host: "siem.example", port: 514 }],
    ["tcp://192.0.2.1:601", { kind: "tcp", host: "192.0.2.1", port: 601 }],
    ["tcp://[2001:db8::1]:601/", { kind: "tcp", host: "2001:db8::1", port: 601 }],
    ["unix:/run/log.sock", { kind: "unix", path: "/run/log.sock" }],
    ["unix:///run/log.sock", { kind: "unix", path: "/run/log.sock" }],
    ["udp://x", undefined],
    ["tcp://x:0", undefined],
    ["tcp://x:70000", undefined],
    ["unix:relative", undefined],
    ["/dev/log", undefined],
  ])("%s", (text, target) => {
    expect(parseSyslogTarget(text)).toEqual(target);
  });
});

describe("syslog", () => {
  /** A receiver that can die and come back on its port. */
  async function receiver(listen: { port: number } | { path: string }) {
    let bytes = "";
    const sockets = new Set<Socket>();
    const server: Server = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.setEncoding("latin1").on("data", (text: string) => (bytes += text));
    });
    await new Promise<void>((resolve) =>
      server.listen("port" in listen ? { ...listen, host: "127.0.0.1" } : listen, resolve),
    );
    const die = async (): Promise<void> => {
      for (const socket of sockets) socket.resetAndDestroy();
      await new Promise((resolve) => server.close(resolve));
    };
    closing.push(() => server.listening && die());
    return {
      port: typeof server.address() === "string" ? 0 : (server.address() as AddressInfo).port,
      bytes: () => bytes,
      die,
      connections: () => sockets.size,
    };
  }
  // The next length follows at once.
  const content = (event: GuardEvent): string => `${line(event)};`;
  const contents = (bytes: string): string[] =>
    [...bytes.matchAll(/ - (number \d+(?=;)|\{"dropped":\d+\})/g)].map(([, content = ""]) => content);

  test("frames by length over TCP, and by lines over a unix socket", async () => {
    const tcp = await receiver({ port: 0 });
    const unix = await receiver({ path: join(folder, "log.sock") });
    for (const [target, { bytes }] of [
      [{ kind: "tcp", host: "127.0.0.1", port: tcp.port }, tcp],
      [{ kind: "unix", path: join(folder, "log.sock") }, unix],
    ] as const) {
      const output = syslogOutput({ target, content, system: realSystem });
      for (let n = 0; n < 3; n += 1) output.write(numbered(n));
      await output.close(2_000);
      await until(() => contents(bytes()).length === 3);
      expect(contents(bytes())).toEqual(numbers(0, 3));
    }
    const length = Number(/^\d+/.exec(tcp.bytes())?.[0]);
    expect(tcp.bytes().slice(`${length} `.length, `${length} `.length + length)).toMatch(/^<85>1 .*number 0;$/);
    expect(unix.bytes().split("\n")).toHaveLength(4);
  });

  test("a receiver that dies and returns gets everything, in order, at least once", async () => {
    const failures: string[] = [];
    const first = await receiver({ port: 0 });
    const output = syslogOutput({
      target: { kind: "tcp", host: "127.0.0.1", port: first.port },
      content,
      system: realSystem,
      retryMs: 20,
      onFailure: (code) => failures.push(code),
    });
    closing.push(() => output.close(10));
    for (let n = 0; n < 5; n += 1) output.write(numbered(n));
    await until(() => contents(first.bytes()).length === 5);
    await first.die();
    for (let n = 5; n < 20; n += 1) output.write(numbered(n));
    await until(() => failures.length > 0);
    for (let n = 20; n < 30; n += 1) output.write(numbered(n));
    const second = await receiver({ port: first.port });
    await until(() => contents(second.bytes()).includes("number 29"));
    // What the first one may not have read is sent again.
    expect(contents(second.bytes())).toEqual(numbers(0, 30));
    expect(failures).toHaveLength(1);
    expect(output.status()).toEqual({ delivered: 30, waiting: 0, dropped: 0 });
  });

  test("one that is away for too long is told how much it missed", async () => {
    const gone = await receiver({ port: 0 });
    await gone.die();
    const output = syslogOutput({
      target: { kind: "tcp", host: "127.0.0.1", port: gone.port },
      content,
      system: realSystem,
      retryMs: 20,
    });
    for (let n = 0; n < MAX_WAITING + 6; n += 1) output.write(numbered(n));
    expect(output.status()).toEqual({ delivered: 0, waiting: MAX_WAITING, dropped: 6 });
    const back = await receiver({ port: gone.port });
    await until(() => contents(back.bytes()).length === MAX_WAITING + 1);
    expect(contents(back.bytes())).toEqual([...numbers(0, MAX_WAITING), '{"dropped":6}']);
    await output.close(1_000);
  });

  test("nobody there holds up the end no longer than told", async () => {
    const gone = await receiver({ port: 0 });
    await gone.die();
    const output = syslogOutput({
      target: { kind: "tcp", host: "127.0.0.1", port: gone.port },
      content,
      system: realSystem,
    });
    output.write(numbered(1));
    await output.close(60);
    expect(output.status()).toEqual({ delivered: 0, waiting: 1, dropped: 0 });
  });
});

test("metrics are in the format of Prometheus", () => {
  const status = {
    looks: 3,
    lastLook: "2026-01-02T03:04:05.000Z",
    lastLookMs: 12,
    failedLooks: 0,
    reported: { "imds.impersonation_detected": 1 },
    responder: true,
    overflow: 0,
  } as const;
  const text = metricsText(status, { file: { delivered: 2, waiting: 1, dropped: 0 } }, 1_000, 5);
  for (const sample of text.trimEnd().split("\n"))
    expect(sample).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+(\{\w+="[\w.]+"\})? [\d.]+)$/);
  expect(text).toContain('imds_guard_events_total{code="imds.impersonation_detected"} 1\n');
  expect(text).toContain('imds_guard_output_waiting{output="file"} 1\n');
  expect(text).toContain("imds_guard_responder 1\n");
  // A series that is new shows no increase: what may be reported begins at zero.
  expect(text).toContain('imds_guard_events_total{code="monitor.host_route"} 0\n');
  expect(text).not.toContain("foreign");
  expect(
    metricsText({ ...status, lastLook: undefined, lastLookMs: undefined, reported: {}, responder: false }, {}, 0, 0),
  ).not.toContain("last_look");
});

test("metrics tell the accounts that logs show", () => {
  const status = {
    looks: 0,
    lastLook: undefined,
    lastLookMs: undefined,
    failedLooks: 0,
    reported: {},
    responder: false,
    overflow: 0,
  };
  const text = metricsText(status, {}, 0, 0, {
    expected: 2,
    reported: 1,
    counts: [{ account: "609629065308", form: "sigv4", level: "high", count: 7 }],
    logs: [{ log: '/var/log/"a".log', bytes: 4_096, readable: false }],
  });
  expect(text).toContain("imds_guard_expected_accounts 2\n");
  expect(text).toContain('imds_guard_events_total{code="egress.foreign_account"} 1\n');
  expect(text).toContain('imds_guard_foreign_account_total{account="609629065308",form="sigv4",level="high"} 7\n');
  expect(text).toContain('imds_guard_log_read_bytes_total{log="/var/log/\\"a\\".log"} 4096\n');
  expect(text).toContain('imds_guard_log_readable{log="/var/log/\\"a\\".log"} 0\n');
});
