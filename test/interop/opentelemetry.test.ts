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
  import { logs, metrics } from "@opentelemetry/api";
  import { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
  import { InMemoryLogRecordExporter, LoggerProvider, SimpleLogRecordProcessor } from "@opentelemetry/sdk-logs";
  const exporter = new InMemoryLogRecordExporter();
  logs.setGlobalLoggerProvider(new LoggerProvider({ processors: [new SimpleLogRecordProcessor({ exporter })] }));
  const counted = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const meters = new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter: counted })] });
  metrics.setGlobalMeterProvider(meters);
  const guard = createGuard({ mode: "deny", log: "off", telemetry: "opentelemetry" });
  await guard.credentials().catch(() => undefined);
  await meters.forceFlush();
  console.log(JSON.stringify({
    records: exporter.getFinishedLogRecords().slice(0, 1).map(({ eventName, severityNumber, body, attributes }) => ({ eventName, severityNumber, body, attributes })),
    metrics: counted.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ scope, metrics }) => metrics.map(({ descriptor, dataPoints }) => ({
      scope: scope.name, name: descriptor.name, unit: descriptor.unit, points: dataPoints.map(({ value, attributes }) => ({ value, attributes })),
    })))),
  }));
  await meters.shutdown();
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
        "@opentelemetry/sdk-metrics@3",
      ],
      { cwd: folder, stdio: "pipe" },
    );
    for (const part of ["dist", "package.json"])
      cpSync(join(ROOT, part), join(folder, "node_modules/imds-guard", part), { recursive: true });
    writeFileSync(join(folder, "program.js"), PROGRAM);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("exports the guard's events, and counts them", () => {
    const said = execFileSync(process.execPath, ["program.js"], {
      cwd: folder,
      encoding: "utf8",
      env: { ...process.env, IMDS_GUARD_PROBE: "off" },
    });
    const { records, metrics } = JSON.parse(said) as { records: unknown; metrics: unknown };
    expect(metrics).toEqual([
      {
        scope: "imds-guard",
        name: "imds_guard.events",
        unit: "{event}",
        points: [
          {
            value: 1,
            attributes: {
              "imds_guard.code": "imds.refused_disabled",
              "imds_guard.severity": "info",
              "imds_guard.action": "refused",
            },
          },
        ],
      },
    ]);
    expect(records).toEqual([
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
