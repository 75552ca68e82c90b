/** Where the events of a guard go: what options and settings name, and what is left where settings cannot be read. */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { logs } from "@opentelemetry/api-logs";
import { InMemoryLogRecordExporter, LoggerProvider, SimpleLogRecordProcessor } from "@opentelemetry/sdk-logs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { GuardEvent } from "../../src/events/catalogue.js";
import { EVENT_CHANNEL } from "../../src/events/catalogue.js";
import { createGuard } from "../../src/guard/create-guard.js";
import { openReporter, plainReporter } from "../../src/guard/reporter.js";
import type { GuardOptions } from "../../src/settings/options.js";
import { stderrOf } from "../support/stderr-lines.js";
import { LAPTOP, machine, rejection } from "./guarded-host.js";

let folder = "";
/** A line on stderr is held back where the same was printed within ten minutes: each test is of another time. */
let at = 1_100_000_000_000;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "imds-guard-reporter-"));
  at -= 3_600_000;
});
afterEach(() => rmSync(folder, { recursive: true }));

const systemNow = () => ({ ...machine(LAPTOP).system, now: () => at });
type Where = Partial<Parameters<typeof openReporter>[1]>;

/** What each of the ways is told of an event. */
async function told(options: GuardOptions, where: Where | "unread") {
  const seen = { stderr: [] as readonly string[], channel: 0, callback: [] as string[], logger: [] as string[] };
  const own: GuardOptions = {
    onEvent: ({ code }) => void seen.callback.push(code),
    logger: {
      debug: () => undefined,
      info: (text: string) => void seen.logger.push(text),
      warn: (text: string) => void seen.logger.push(text),
      error: (text: string) => void seen.logger.push(text),
    },
    ...options,
  };
  const listener = () => void (seen.channel += 1);
  subscribe(EVENT_CHANNEL, listener);
  try {
    seen.stderr = await stderrOf(async () => {
      const reporter =
        where === "unread"
          ? plainReporter(own, systemNow())
          : await openReporter(
              own,
              { log: "warning", eventsFile: undefined, eventFormat: "json", telemetry: "off", ...where } as Parameters<
                typeof openReporter
              >[1],
              systemNow(),
            );
      reporter.report("imds.no_role", { message: "quiet" });
      reporter.report("imds.forbidden", { message: "loud" });
      await reporter.close();
    });
  } finally {
    unsubscribe(EVENT_CHANNEL, listener);
  }
  return seen;
}
const BOTH = ["imds.no_role", "imds.forbidden"];
const texts = (lines: readonly string[]) => lines.map((line) => /quiet|loud/.exec(line)?.[0]);

describe("an event goes", () => {
  test.each<[readonly string[], GuardOptions, Where | "unread"]>([
    [["loud"], {}, {}],
    [["quiet", "loud"], {}, { log: "info" }],
    [[], {}, { log: "off" }],
    [["loud"], {}, "unread"],
    [["quiet", "loud"], { log: "info" }, "unread"],
    [[], { log: "off" }, "unread"],
    // Where they can be read, the settings have taken the option in.
    [["loud"], { log: "info" }, {}],
  ])("to stderr, %j, with %j and %j", async (expected, options, where) => {
    const { stderr, channel, callback, logger } = await told(options, where);
    expect(texts(stderr)).toEqual(expected);
    expect([channel, callback, texts(logger)]).toEqual([2, BOTH, ["quiet", "loud"]]);
  });

  test.each<Where | "unread">([{}, "unread"])("to nobody who is not named: %j", async (where) => {
    expect(await told({ onEvent: undefined, logger: undefined }, where)).toMatchObject({
      channel: 2,
      callback: [],
      logger: [],
    });
  });

  test.each([
    ["json", (line: Record<string, unknown>) => line["code"]],
    ["ecs", (line: Record<string, Record<string, unknown>>) => line["imds_guard"]?.["code"]],
    ["ocsf", (line: Record<string, Record<string, unknown>>) => line["metadata"]?.["event_code"]],
  ] as const)("to a file, as %s", async (eventFormat, codeOf) => {
    const eventsFile = join(folder, "events");
    await told({}, { eventsFile, eventFormat });
    const lines = readFileSync(eventsFile, "utf8").trimEnd().split("\n");
    expect(lines.map((line) => codeOf(JSON.parse(line) as never))).toEqual(BOTH);
  });

  test("to the others where its file cannot be written, and so does that", async () => {
    const { callback, stderr } = await told({}, { eventsFile: folder });
    expect(callback.filter((code) => code === "events.file_failing")).toHaveLength(1);
    expect(stderr.join("")).toContain(
      `Events cannot be written to ${JSON.stringify(folder)} (EISDIR); up to 256 wait for it`,
    );
    expect(stderr.join("")).toContain("Name a regular file in an existing directory that this process may write.");
  });

  test("to OpenTelemetry where that is wanted", async () => {
    const exporter = new InMemoryLogRecordExporter();
    logs.setGlobalLoggerProvider(new LoggerProvider({ processors: [new SimpleLogRecordProcessor({ exporter })] }));
    try {
      await told({}, {});
      expect(exporter.getFinishedLogRecords()).toEqual([]);
      await told({}, { telemetry: "opentelemetry" });
      expect(exporter.getFinishedLogRecords().map(({ eventName }) => eventName)).toEqual(
        BOTH.map((code) => `imds_guard.${code}`),
      );
    } finally {
      logs.disable();
    }
  });
});

describe("settings that cannot be honoured", () => {
  test("are told by the ways that the options name", async () => {
    const events: GuardEvent[] = [];
    const { system } = machine(LAPTOP, { IMDS_GUARD_MODE: "alow" });
    const guard = createGuard({ onEvent: (event) => events.push(event) }, { system: { ...system, now: () => at } });
    let error: unknown;
    const stderr = await stderrOf(async () => {
      error = await rejection(guard.whereAmI());
    });
    const { message, advice, evidence } = error as { message: string; advice: string; evidence: object[] };
    expect(events).toMatchObject([{ code: "settings.invalid", message, advice, evidence }]);
    expect(stderr.join("")).toContain(message);
  });

  test("that are only odd are told, and hold", async () => {
    const events: GuardEvent[] = [];
    const { system } = machine(LAPTOP);
    const guard = createGuard({ profile: "gone", log: "off", onEvent: (event) => events.push(event) }, { system });
    await guard.whereAmI();
    expect(events).toMatchObject([
      {
        code: "settings.profile_missing",
        message: expect.stringContaining('"gone"'),
        advice: expect.stringMatching(/./),
      },
    ]);
  });
});
