import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { earlyReporter } from "../../src/firewall/early-reporter.js";
import { EVENT_FORMATS } from "../../src/settings/options.js";

const folder = mkdtempSync(join(tmpdir(), "imds-guard-early-"));
afterAll(() => rmSync(folder, { recursive: true }));

const MARKS = { json: { code: "firewall.connection_blocked" }, ecs: { ecs: { version: "9.4.0" } }, ocsf: { class_uid: 4001 } };

describe("the firewall's own reporter", () => {
  test.each(EVENT_FORMATS)("opens nothing before the first event, then writes %s", (eventFormat) => {
    const eventsFile = join(folder, eventFormat);
    const report = earlyReporter({ log: "off", eventsFile, eventFormat, telemetry: "off" });
    expect(existsSync(eventsFile)).toBe(false);
    report("firewall.connection_blocked", { endpoint: { address: "169.254.169.254", port: 80 } });
    expect(JSON.parse(readFileSync(eventsFile, "utf8"))).toMatchObject(MARKS[eventFormat]);
  });
});
