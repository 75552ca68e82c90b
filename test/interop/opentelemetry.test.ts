/**
 * The built package with OpenTelemetry's SDK of the third generation, whose logs API is in another package than that of
 * the one before.
 */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");
const PROGRAM = `
  import { createGuard } from "imds-guard";
  import { logs } from "@opentelemetry/api";
  import { InMemoryLogRecordExporter, LoggerProvider, SimpleLogRecordProcessor } from "@opentelemetry/sdk-logs";
  const exporter = new InMemoryLogRecordExporter();
  logs.setGlobalLoggerProvider(new LoggerProvider({ processors: [new SimpleLogRecordProcessor({ exporter })] }));
  const guard = createGuard({ mode: "deny", log: "off", telemetry: "opentelemetry" });
  await guard.credentials().catch(() => undefined);
  console.log(JSON.stringify(exporter.getFinishedLogRecords().map(({ eventName, severityNumber, body, attributes }) => ({ eventName, severityNumber, body, attributes }))));
`;

describe("OpenTelemetry's SDK 3", () => {
  let folder: string;
  beforeAll(() => {
    expect(existsSync(join(ROOT, "dist/index.js")), "build first").toBe(true);
    folder = mkdtempSync(join(tmpdir(), "imds-guard-otel-"));
    writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
    execFileSync(
      "npm",
      [
        "install",
        "--silent",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "@opentelemetry/api@1.10",
        "@opentelemetry/sdk-logs@3",
      ],
      { cwd: folder, stdio: "pipe" },
    );
    for (const part of ["dist", "package.json"])
      cpSync(join(ROOT, part), join(folder, "node_modules/imds-guard", part), { recursive: true });
    writeFileSync(join(folder, "program.js"), PROGRAM);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("exports the guard's events", () => {
    const said = execFileSync(process.execPath, ["program.js"], {
      cwd: folder,
      encoding: "utf8",
      env: { ...process.env, IMDS_GUARD_PROBE: "off" },
    });
    expect(JSON.parse(said)).toEqual([
      {
        eventName: "imds_guard.imds.refused_disabled",
        severityNumber: 9,
        body: "IMDS was not asked: IMDS is disabled by mode deny",
        attributes: expect.objectContaining({
          "imds_guard.code": "imds.refused_disabled",
          "server.address": "169.254.169.254",
          "server.port": 80,
        }) as object,
      },
    ]);
  });
});
