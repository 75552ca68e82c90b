/** Events as log records, against OpenTelemetry's own SDK. */
import { metrics } from "@opentelemetry/api";
import { logs } from "@opentelemetry/api-logs";
import { InMemoryLogRecordExporter, LoggerProvider, SimpleLogRecordProcessor } from "@opentelemetry/sdk-logs";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { afterEach, describe, expect, test } from "vitest";
import { CATALOGUE } from "../../src/events/catalogue.js";
import { openTelemetrySink, toLogRecord } from "../../src/events/opentelemetry.js";
import { earlyReporter } from "../../src/firewall/early-reporter.js";
import { PACKAGE_VERSION } from "../../src/base/package-version.js";
import { fc } from "../support/properties.js";
import { anyCode, anyDetails, AT, CODES, eventOf, IMPERSONATION } from "./samples.js";

function registered(): InMemoryLogRecordExporter {
  const exporter = new InMemoryLogRecordExporter();
  logs.setGlobalLoggerProvider(new LoggerProvider({ processors: [new SimpleLogRecordProcessor({ exporter })] }));
  return exporter;
}
afterEach(() => {
  logs.disable();
  metrics.disable();
});

function metered() {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const provider = new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter })] });
  metrics.setGlobalMeterProvider(provider);
  return async () => {
    await provider.forceFlush();
    const points = exporter
      .getMetrics()
      .flatMap(({ scopeMetrics }) => scopeMetrics)
      .flatMap(({ scope, metrics: all }) => all.map((metric) => ({ scope, ...metric })))
      .flatMap(({ scope, descriptor, dataPoints }) =>
        dataPoints.map(({ value, attributes }) => [scope.name, descriptor.name, value, attributes]),
      );
    await provider.shutdown();
    return points;
  };
}

describe("openTelemetrySink", () => {
  test("counts by code with the meter provider that is there at the time", async () => {
    const sink = await openTelemetrySink();
    const [refused, found] = [
      eventOf("imds.refused_not_ec2", {}),
      eventOf("imds.impersonation_detected", IMPERSONATION),
    ];
    sink.write(refused);
    const first = metered();
    for (let times = 0; times < 2; times += 1) sink.write(refused);
    sink.write(found);
    const attributes = (code: string, severity: string, action: string) => ({
      "imds_guard.code": code,
      "imds_guard.severity": severity,
      "imds_guard.action": action,
    });
    expect(await first()).toEqual([
      ["imds-guard", "imds_guard.events", 2, attributes("imds.refused_not_ec2", "notice", "refused")],
      ["imds-guard", "imds_guard.events", 1, attributes("imds.impersonation_detected", "critical", "observed")],
    ]);
    metrics.disable();
    const second = metered();
    sink.write(found);
    expect(await second()).toEqual([
      ["imds-guard", "imds_guard.events", 1, attributes("imds.impersonation_detected", "critical", "observed")],
    ]);
  });

  test("emits what the SDK exports", async () => {
    const exporter = registered();
    const event = eventOf("imds.impersonation_detected", IMPERSONATION);
    (await openTelemetrySink()).write(event);
    const [record, ...others] = exporter.getFinishedLogRecords();
    expect(others).toEqual([]);
    expect(record).toMatchObject({
      eventName: "imds_guard.imds.impersonation_detected",
      severityNumber: 18,
      severityText: "critical",
      body: IMPERSONATION.message,
      hrTime: [AT / 1000 - 0.678, 678_000_000],
      instrumentationScope: { name: "imds-guard", version: PACKAGE_VERSION },
      droppedAttributesCount: 0,
    });
    expect(record?.attributes).toEqual({
      "log.record.uid": event.id,
      "process.pid": 4711,
      "process.executable.name": "server.js",
      "server.address": "169.254.169.254",
      "server.port": 80,
      "network.local.address": "192.0.2.7",
      "security_rule.name": CATALOGUE[event.code].title,
      "security_rule.reference": event.refs[0],
      "imds_guard.code": event.code,
      "imds_guard.action": "observed",
      "imds_guard.finding": true,
      "imds_guard.claimed.account_id": "123456789012",
      "imds_guard.claimed.role_name": "web",
      "imds_guard.claimed.region": "eu-west-1",
      "imds_guard.claimed.instance_id": "i-0123456789abcdef0",
      "imds_guard.claimed.access_key_id": "ASIA************WXYZ",
      "imds_guard.responder.mac": "02:00:5e:10:00:01",
      "imds_guard.responder.interface": "eth0",
      "imds_guard.responder.gateway": "192.0.2.1",
      "imds_guard.responder.route": "169.254.169.254 via 192.0.2.1",
      "imds_guard.responder.local_address": "192.0.2.7",
      "imds_guard.evidence": [
        "/sys/class/dmi/id/sys_vendor = QEMU: the vendor is not Amazon EC2",
        "PUT /latest/api/token: answered with a token",
      ],
      "imds_guard.advice": IMPERSONATION.advice,
    });
  });

  test("reaches a provider that is registered after it was made, and needs none", async () => {
    const sink = await openTelemetrySink();
    sink.write(eventOf("imds.no_role"));
    const exporter = registered();
    sink.write(eventOf("imds.attested"));
    expect(exporter.getFinishedLogRecords().map(({ eventName }) => eventName)).toEqual(["imds_guard.imds.attested"]);
  });

  test("gives every event a name, a number and attributes that the SDK takes as they are", async () => {
    const exporter = registered();
    const sink = await openTelemetrySink();
    for (const code of CODES) sink.write(eventOf(code));
    const records = exporter.getFinishedLogRecords();
    expect(records.map(({ attributes }) => attributes["imds_guard.code"])).toEqual(CODES);
    expect(new Set(records.map(({ severityNumber, severityText }) => `${severityText} ${severityNumber}`))).toEqual(
      new Set(["info 9", "notice 10", "warning 13", "error 17", "critical 18"]),
    );
    expect(records.map(({ attributes }) => attributes)).toEqual(
      CODES.map((code, index) => ({
        ...toLogRecord(eventOf(code)).attributes,
        "log.record.uid": records[index]?.attributes["log.record.uid"],
      })),
    );
  });

  test("holds nothing that the event does not", () => {
    const property = fc.property(anyCode, anyDetails, (code, details) => {
      const event = eventOf(code, details);
      const said = JSON.stringify(Object.values(event));
      const { "imds_guard.evidence": evidence, "security_rule.name": _, ...plain } = toLogRecord(event).attributes;
      for (const value of Object.values(plain)) {
        if (typeof value === "string" && value !== "server.js") expect(said).toContain(JSON.stringify(value));
      }
      expect(evidence).toHaveLength(event.evidence.length);
    });
    fc.assert(property);
  });
});

test("the firewall loads it with its first event, and loses none that came before", async () => {
  const exporter = registered();
  const report = earlyReporter({ log: "off", eventsFile: undefined, eventFormat: "json", telemetry: "opentelemetry" });
  for (const port of [80, 81])
    report("firewall.connection_blocked", { endpoint: { address: "169.254.169.254", port } });
  expect(exporter.getFinishedLogRecords()).toEqual([]);
  await expect
    .poll(() => exporter.getFinishedLogRecords().map(({ attributes }) => attributes["server.port"]))
    .toEqual([80, 81]);
  report("firewall.connection_blocked", { endpoint: { address: "169.254.169.254", port: 82 } });
  expect(exporter.getFinishedLogRecords()).toHaveLength(3);
});
