import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import diagnosticsChannel from "node:diagnostics_channel";
import { logs } from "@opentelemetry/api-logs";
import { InMemoryLogRecordExporter, LoggerProvider, SimpleLogRecordProcessor } from "@opentelemetry/sdk-logs";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import type { GuardEvent } from "../../src/events/catalogue.js";
import { MAX_PENDING } from "../../src/events/file-sink.js";
import { earlyReporter } from "../../src/firewall/early-reporter.js";
import { EVENT_FORMATS } from "../../src/events/catalogue.js";

const folder = mkdtempSync(join(tmpdir(), "imds-guard-early-"));
afterAll(() => rmSync(folder, { recursive: true }));

const MARKS = {
  json: { code: "firewall.connection_blocked" },
  ecs: { ecs: { version: "9.4.0" } },
  ocsf: { class_uid: 4001 },
};

const QUIET = { log: "off", eventsFile: undefined, eventFormat: "json", telemetry: "off" } as const;
const AT_PORT = (port: number) => ({ endpoint: { address: "169.254.169.254", port } });

let next = 0;
afterEach(() => logs.disable());

describe("the firewall's own reporter", () => {
  test("tells whoever asked, and the diagnostics channel", () => {
    const events: GuardEvent[] = [];
    const published: unknown[] = [];
    const listener = (event: unknown): void => void published.push(event);
    diagnosticsChannel.subscribe("imds-guard:event", listener);
    try {
      const report = earlyReporter(QUIET, { write: (event) => events.push(event) });
      report("firewall.connection_blocked", AT_PORT(80));
      report("firewall.connection_seen", AT_PORT(81));
    } finally {
      diagnosticsChannel.unsubscribe("imds-guard:event", listener);
    }
    expect(events).toMatchObject([
      { code: "firewall.connection_blocked", endpoint: { port: 80 } },
      { code: "firewall.connection_seen", endpoint: { port: 81 } },
    ]);
    expect(published).toEqual(events);
  });

  test.each([[0], [1], [MAX_PENDING - 1], [MAX_PENDING], [MAX_PENDING + 2]])(
    "keeps the first %j events for OpenTelemetry, which comes later, up to a limit",
    async (count) => {
      const exporter = new InMemoryLogRecordExporter();
      logs.setGlobalLoggerProvider(new LoggerProvider({ processors: [new SimpleLogRecordProcessor({ exporter })] }));
      // Others may come late, from a reporter of another test.
      const first = (next += 1_000);
      const ports = (): number[] =>
        exporter
          .getFinishedLogRecords()
          .map(({ attributes }) => Number(attributes["server.port"]) - first)
          .filter((port) => port >= 0);
      const report = earlyReporter({ ...QUIET, telemetry: "opentelemetry" });
      for (let port = 1; port <= count + 1; port++) report("firewall.connection_blocked", AT_PORT(first + port));
      expect(ports()).toEqual([]);
      const kept = Array.from({ length: Math.min(count + 1, MAX_PENDING) }, (_, index) => index + 1);
      await expect.poll(ports).toEqual(kept);
      report("firewall.connection_blocked", AT_PORT(first + 999));
      expect(ports()).toEqual([...kept, 999]);
    },
  );

  test.each(EVENT_FORMATS)("opens nothing before the first event, then writes %s", (eventFormat) => {
    const eventsFile = join(folder, eventFormat);
    const report = earlyReporter({ log: "off", eventsFile, eventFormat, telemetry: "off" });
    expect(existsSync(eventsFile)).toBe(false);
    report("firewall.connection_blocked", { endpoint: { address: "169.254.169.254", port: 80 } });
    expect(JSON.parse(readFileSync(eventsFile, "utf8"))).toMatchObject(MARKS[eventFormat]);
  });
});
