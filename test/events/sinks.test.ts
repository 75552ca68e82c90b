import { spawn } from "node:child_process";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EVENT_CHANNEL } from "../../src/events/catalogue.js";
import type { GuardEvent } from "../../src/events/catalogue.js";
import {
  MAX_REMEMBERED,
  REPEAT_WINDOW_MS,
  callbackSink,
  diagnosticsChannelSink,
  loggerSink,
  stderrSink,
} from "../../src/events/sinks.js";
import type { Logger, Threshold } from "../../src/events/sinks.js";
import { toText } from "../../src/events/text.js";
import { bundleProgram } from "./program.js";
import { AT, eventOf } from "./samples.js";

const BY_SEVERITY = [
  eventOf("imds.no_role"),
  eventOf("imds.refused_not_ec2"),
  eventOf("imds.forbidden"),
  eventOf("imds.redirect_refused"),
  eventOf("imds.identity_changed"),
];

describe("stderrSink", () => {
  test.each<[Threshold | undefined, number]>([
    [undefined, 3],
    ["info", 5],
    ["notice", 4],
    ["warning", 3],
    ["error", 2],
    ["critical", 1],
    ["off", 0],
  ])("with threshold %s prints the last %i of five severities", (threshold, count) => {
    const lines: string[] = [];
    const sink = stderrSink({ threshold, write: (line) => void lines.push(line) });
    for (const event of BY_SEVERITY) sink.write(event);
    expect(lines).toEqual(BY_SEVERITY.map(toText).slice(5 - count));
  });

  function printed(events: readonly GuardEvent[]): number {
    let lines = 0;
    const sink = stderrSink({ write: () => void (lines += 1) });
    for (const event of events) sink.write(event);
    return lines;
  }

  const at = (ms: number, message = "m", port = 80): GuardEvent =>
    eventOf("imds.forbidden", { message, endpoint: { address: "127.0.0.1", port } }, AT + ms);

  test.each<[string, number, readonly GuardEvent[]]>([
    ["the same again", 1, [at(0), at(0), at(1), at(REPEAT_WINDOW_MS - 1)]],
    ["the same after the window", 2, [at(0), at(REPEAT_WINDOW_MS)]],
    ["the same under a clock set back", 2, [at(0), at(-1)]],
    ["another message", 2, [at(0), at(0, "n")]],
    ["another endpoint", 2, [at(0), at(0, "m", 81)]],
    [
      "another code",
      2,
      [at(0), eventOf("imds.token_timeout", { message: "m", endpoint: { address: "127.0.0.1", port: 80 } })],
    ],
  ])("%s is printed %i time(s)", (_case, count, events) => {
    expect(printed(events)).toBe(count);
  });

  test("says how many repeats were held back", () => {
    const lines: string[] = [];
    const sink = stderrSink({ write: (line) => void lines.push(line) });
    for (const ms of [0, 1, 2, REPEAT_WINDOW_MS, 2 * REPEAT_WINDOW_MS]) sink.write(at(ms));
    expect(lines).toEqual([toText(at(0)), `${toText(at(0))} (held back 2 repeats)`, toText(at(0))]);
  });

  test("remembers a bounded number of lines, the newest", () => {
    const others = Array.from({ length: MAX_REMEMBERED }, (_, index) => at(0, `other ${index}`));
    expect(printed([at(0), ...others, at(1)])).toBe(MAX_REMEMBERED + 2);
    expect(printed([at(0), ...others.slice(1), at(1)])).toBe(MAX_REMEMBERED);
  });
});

describe("stderr of a real process", () => {
  let folder: string;
  let program: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "imds-guard-events-"));
    const event = JSON.stringify(eventOf("imds.identity_changed"));
    program = await bundleProgram(
      folder,
      `import { stderrSink } from "src/events/sinks.ts";
       const sink = stderrSink();
       process.stdin.once("data", () => {
         for (let n = 0; n < 300; n += 1) sink.write({ ...${event}, message: "number " + n });
         console.log("went on");
         process.stdin.destroy();
       });
       console.log("ready");`,
    );
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  async function run(closeReader: boolean): Promise<{ code: number | null; stdout: string; stderr: string }> {
    const child = spawn(process.execPath, [program], { stdio: "pipe" });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => void (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => void (stderr += text));
    await once(child.stdout, "data");
    if (closeReader) {
      child.stderr.destroy();
      await once(child.stderr, "close");
    }
    child.stdin.end("go\n");
    const [code] = (await once(child, "close")) as [number | null];
    return { code, stdout, stderr };
  }

  test("gets every line", async () => {
    const { code, stdout, stderr } = await run(false);
    expect(code).toBe(0);
    expect(stdout).toBe("ready\nwent on\n");
    expect(stderr.split("\n").filter((line) => line.startsWith("imds-guard: critical: number "))).toHaveLength(300);
  });

  test("gone, the process goes on", async () => {
    expect(await run(true)).toEqual({ code: 0, stdout: "ready\nwent on\n", stderr: "" });
  });
});

describe("loggerSink", () => {
  test("maps severities and passes the line and the event", () => {
    const calls: unknown[][] = [];
    const as =
      (name: string) =>
      (...content: unknown[]): void =>
        void calls.push([name, ...content]);
    const logger: Logger = {
      trace: as("trace"),
      debug: as("debug"),
      info: as("info"),
      warn: as("warn"),
      error: as("error"),
    };
    const sink = loggerSink(logger);
    for (const event of BY_SEVERITY) sink.write(event);
    const methods = ["info", "info", "warn", "error", "error"];
    expect(calls).toEqual(BY_SEVERITY.map((event, index) => [methods[index], toText(event), event]));
  });

  test("keeps to its threshold, calls methods on the logger, and survives it", () => {
    class Broken {
      calls = 0;
      debug(): void {
        this.calls += 1;
      }
      info(): void {
        this.calls += 1;
      }
      warn(): void {
        this.calls += 1;
        throw new Error("disk full");
      }
      error(): Promise<void> {
        this.calls += 1;
        return Promise.reject(new Error("remote gone"));
      }
    }
    const logger = new Broken();
    const sink = loggerSink(logger, "warning");
    for (const event of BY_SEVERITY) sink.write(event);
    expect(logger.calls).toBe(3);
  });
});

describe("callbackSink", () => {
  test("passes the event; exceptions and rejections end there", async () => {
    const seen: GuardEvent[] = [];
    const sink = callbackSink((event) => {
      seen.push(event);
      if (event.severity === "info") throw new Error("sync");
      return Promise.reject(new Error("async"));
    });
    for (const event of BY_SEVERITY) sink.write(event);
    await sink.close?.();
    expect(seen).toEqual(BY_SEVERITY);
  });

  test("close waits for calls still running", async () => {
    let finish = (): void => {};
    let finished = false;
    const sink = callbackSink(async () => {
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      finished = true;
    });
    sink.write(eventOf("imds.no_role"));
    setImmediate(() => finish());
    await sink.close?.();
    expect(finished).toBe(true);
  });
});

describe("diagnosticsChannelSink", () => {
  test("publishes while somebody is subscribed", () => {
    const seen: unknown[] = [];
    const listener = (message: unknown): void => void seen.push(message);
    const sink = diagnosticsChannelSink();
    sink.write(eventOf("imds.no_role"));
    subscribe(EVENT_CHANNEL, listener);
    const event = eventOf("imds.forbidden");
    sink.write(event);
    unsubscribe(EVENT_CHANNEL, listener);
    sink.write(eventOf("imds.no_role"));
    expect(seen).toEqual([event]);
  });

  test("the channel has the name that is documented", () => {
    expect(EVENT_CHANNEL).toBe("imds-guard:event");
  });
});
