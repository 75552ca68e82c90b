/** Events and systems for the tests of this folder. */
import type { Evidence } from "../../src/base/errors.js";
import { CATALOGUE } from "../../src/events/catalogue.js";
import type { EventDetails, GuardEvent } from "../../src/events/catalogue.js";
import type { EventCode } from "../../src/events/weights.js";
import { createReporter } from "../../src/events/reporter.js";
import { realSystem } from "../../src/base/system.js";
import type { System } from "../../src/base/system.js";
import { fc } from "../support/properties.js";

export const CODES = Object.keys(CATALOGUE) as EventCode[];

/** 2026-01-02T03:04:05.678Z */
export const AT = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

export function systemAt(now: () => number = () => AT): System {
  return { ...realSystem, env: {}, pid: 4711, argv0: "/srv/app/server.js", now };
}

/** An event as the reporter builds it. */
export function eventOf(code: EventCode, details?: EventDetails, at = AT): GuardEvent {
  const events: GuardEvent[] = [];
  createReporter({ system: systemAt(() => at), sinks: [{ write: (event) => void events.push(event) }] }).report(
    code,
    details,
  );
  return events[0] as GuardEvent;
}

export const IMPERSONATION: EventDetails = {
  message: "169.254.169.254 answered with a token, but this host is not EC2",
  endpoint: { address: "169.254.169.254", port: 80 },
  evidence: [
    { source: "/sys/class/dmi/id/sys_vendor", value: "QEMU", says: "the vendor is not Amazon EC2" },
    { source: "PUT /latest/api/token", says: "answered with a token" },
  ],
  claimed: {
    accountId: "123456789012",
    roleName: "web",
    region: "eu-west-1",
    instanceId: "i-0123456789abcdef0",
    accessKeyId: "ASIAQAAAAAAAAAAAWXYZ",
  },
  responder: {
    mac: "02:00:5e:10:00:01",
    interface: "eth0",
    gateway: "192.0.2.1",
    route: "169.254.169.254 via 192.0.2.1",
    localAddress: "192.0.2.7",
  },
  advice: "Find the owner of 02:00:5e:10:00:01",
};

// Text as an attacker would write it: control, bidirectional, astral, lone surrogates, quotes, whole fake lines.
const text = fc.oneof(
  fc.string({ maxLength: 900 }),
  fc.string({ unit: "binary", maxLength: 900 }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 700 }).map((units) => String.fromCharCode(...units)),
  fc.constantFrom(
    "x\nimds-guard: info: all is well",
    "\u001b[2J",
    "\u202egnp.exe",
    '"',
    "\\",
    "\ud83d".repeat(300),
    "",
  ),
);
const maybe = fc.option(text, { nil: undefined });

const evidence: fc.Arbitrary<Evidence> = fc.record({ source: text, value: maybe, says: text });

export const anyCode = fc.constantFrom(...CODES);

export const anyDetails: fc.Arbitrary<EventDetails> = fc.record(
  {
    message: maybe,
    endpoint: fc.record({ address: text, port: fc.integer({ min: 0, max: 65_535 }) }),
    evidence: fc.array(evidence, { maxLength: 40 }),
    claimed: fc.record({ accountId: maybe, roleName: maybe, region: maybe, instanceId: maybe, accessKeyId: maybe }),
    responder: fc.record({ mac: maybe, interface: maybe, gateway: maybe, route: maybe, localAddress: maybe }),
    advice: maybe,
  },
  { requiredKeys: [] },
);
