import { isIP } from "node:net";
import { describe, expect, test } from "vitest";
import { isFinding } from "../../src/events/weights.js";
import { toEcs } from "../../src/events/ecs.js";
import type { EcsDocument } from "../../src/events/ecs.js";
import { GOLDEN } from "./golden.js";
import { CODES, anyCode, anyDetails, eventOf } from "./samples.js";
import { fc } from "../support/properties.js";

// Expected event types by category: the part of the schema that these documents use.
const TYPES: Readonly<Record<string, readonly string[]>> = {
  configuration: ["access", "change", "creation", "deletion", "info"],
  intrusion_detection: ["allowed", "denied", "info"],
  network: ["access", "allowed", "connection", "denied", "end", "info", "protocol", "start"],
};

const FIELDS: Readonly<Record<string, string>> = {
  "@timestamp": "date",
  message: "text",
  "ecs.version": "text",
  "log.level": "text",
  "event.id": "text",
  "event.kind": "text",
  "event.category": "texts",
  "event.type": "texts",
  "event.action": "text",
  "event.outcome": "text",
  "event.severity": "number",
  "event.risk_score": "number",
  "event.module": "text",
  "event.dataset": "text",
  "event.reason": "text",
  "event.reference": "text",
  "rule.id": "text",
  "rule.name": "text",
  "rule.version": "text",
  "rule.reference": "text",
  "observer.vendor": "text",
  "observer.product": "text",
  "observer.type": "text",
  "observer.version": "text",
  "process.pid": "number",
  "process.name": "text",
  "threat.framework": "text",
  "threat.tactic.id": "texts",
  "threat.tactic.name": "texts",
  "threat.technique.id": "texts",
  "threat.technique.name": "texts",
  "threat.technique.subtechnique.id": "texts",
  "threat.technique.subtechnique.name": "texts",
  "destination.address": "text",
  "destination.domain": "text",
  "destination.ip": "ip",
  "destination.mac": "text",
  "destination.port": "number",
  "source.address": "text",
  "source.domain": "text",
  "source.ip": "ip",
  "related.ip": "ips",
};

const IS: Readonly<Record<string, (value: unknown) => boolean>> = {
  text: (value) => typeof value === "string",
  texts: (value) => Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === "string"),
  number: (value) => Number.isInteger(value),
  date: (value) => typeof value === "string" && new Date(value).toISOString() === value,
  ip: (value) => typeof value === "string" && isIP(value) !== 0,
  ips: (value) => Array.isArray(value) && value.length > 0 && value.every((item) => isIP(String(item)) !== 0),
};

function checkDocument(document: EcsDocument): void {
  const { imds_guard: _own, ...standard } = document;
  for (const [name, value] of fieldsOf(standard)) {
    expect(FIELDS, name).toHaveProperty([name]);
    expect(IS[FIELDS[name] as string]?.(value), `${name} = ${JSON.stringify(value)}`).toBe(true);
  }
  for (const category of document.event.category) {
    for (const type of document.event.type) expect(TYPES[category], `${category}/${type}`).toContain(type);
  }
}

describe("toEcs", () => {
  test.each(Object.keys(GOLDEN))("%s is as kept", async (name) => {
    const document = toEcs(GOLDEN[name] as (typeof GOLDEN)[string], "1.2.3");
    await expect(`${JSON.stringify(document, null, 2)}\n`).toMatchFileSnapshot(`golden/${name}.ecs.json`);
  });

  test.each(CODES)("%s fits the schema", (code) => {
    const document = toEcs(eventOf(code), "1.2.3");
    checkDocument(document);
    expect(document.event.kind).toBe(isFinding(code) ? "alert" : "event");
  });

  test("fits the schema whatever comes in", () => {
    fc.assert(
      fc.property(anyCode, anyDetails, (code, details) => checkDocument(toEcs(eventOf(code, details), "1.2.3"))),
      { numRuns: 40 },
    );
  });

  test("writes the responder's hardware address as the schema wants it", () => {
    expect(toEcs(GOLDEN["impersonation"] as (typeof GOLDEN)[string], "1").destination?.mac).toMatch(
      /^[A-F0-9]{2}(-[A-F0-9]{2}){5,}$/,
    );
  });
});

function* fieldsOf(value: object, path = ""): Generator<readonly [string, unknown]> {
  for (const [key, item] of Object.entries(value) as [string, unknown][]) {
    const name = path === "" ? key : `${path}.${key}`;
    if (typeof item === "object" && item !== null && !Array.isArray(item)) yield* fieldsOf(item, name);
    else yield [name, item];
  }
}
