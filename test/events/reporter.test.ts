import { describe, expect, test, vi } from "vitest";
import { BULLETIN, CATALOGUE } from "../../src/events/catalogue.js";
import { isFinding } from "../../src/events/weights.js";
import type { EventDetails, GuardEvent } from "../../src/events/catalogue.js";
import { CLOSE_DEADLINE_MS, MAX_EVIDENCE, MAX_MESSAGE, MAX_VALUE, createReporter } from "../../src/events/reporter.js";
import type { Reporter } from "../../src/events/reporter.js";
import { toEcs } from "../../src/events/ecs.js";
import { toOcsf } from "../../src/events/ocsf.js";
import { toText } from "../../src/events/text.js";
import type { Sink } from "../../src/events/sinks.js";
import { CODES, IMPERSONATION, anyCode, anyDetails, eventOf, systemAt } from "./samples.js";
import { fc } from "../support/properties.js";

function collector(): Sink & { readonly events: GuardEvent[] } {
  const events: GuardEvent[] = [];
  return { events, write: (event) => void events.push(event) };
}

describe("the event", () => {
  test("is filled from the catalogue, the system and the details", () => {
    const event = eventOf("imds.impersonation_detected", IMPERSONATION);
    expect(event).toEqual({
      ...IMPERSONATION,
      claimed: { ...IMPERSONATION.claimed, accessKeyId: "ASIA************WXYZ" },
      id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4/),
      time: "2026-01-02T03:04:05.678Z",
      code: "imds.impersonation_detected",
      severity: "critical",
      action: "observed",
      caller: { pid: 4711, argv0: "/srv/app/server.js" },
      refs: [BULLETIN],
    });
  });

  test("has the title for a message and no empty fields when nothing is given", () => {
    const event = eventOf("imds.no_role", { message: "", claimed: {}, responder: { mac: undefined } });
    expect(event.message).toBe(CATALOGUE["imds.no_role"].title);
    expect(Object.keys(event)).toEqual([
      "id",
      "time",
      "code",
      "severity",
      "action",
      "message",
      "evidence",
      "caller",
      "advice",
      "refs",
    ]);
    expect(event).toMatchObject({ evidence: [], advice: "", refs: [] });
  });

  test("has ids of its own", () => {
    expect(eventOf("imds.no_role").id).not.toBe(eventOf("imds.no_role").id);
  });

  test.each(CODES)("%s: details change neither severity nor action, nor anything else of the guard's", (code) => {
    const forged = {
      severity: "info",
      action: "accepted",
      code: "imds.attested",
      id: "1",
      time: "",
      refs: [],
      caller: {},
    };
    const { severity, action } = CATALOGUE[code];
    const event = eventOf(code, forged as EventDetails);
    expect(event).toMatchObject({
      code,
      severity,
      action,
      caller: { pid: 4711 },
      refs: isFinding(code) ? [BULLETIN] : [],
    });
    expect(event.id).not.toBe("1");
    if (isFinding(code)) expect(event.advice).not.toBe("");
  });

  test("takes no field it does not know, so that a whole credential given by mistake stays out", () => {
    const secrets = { secretAccessKey: "s3cret", sessionToken: "s3cret", token: "s3cret" };
    const details = {
      ...secrets,
      claimed: { accountId: "1", ...secrets },
      responder: { mac: "m", ...secrets },
      endpoint: { address: "a", port: 1, ...secrets },
    };
    const event = eventOf("imds.account_mismatch", { ...details, evidence: [{ source: "a", says: "b", ...secrets }] });
    for (const shown of [
      JSON.stringify(event),
      toText(event),
      JSON.stringify(toEcs(event, "1")),
      JSON.stringify(toOcsf(event, "1")),
    ]) {
      expect(shown).not.toContain("s3cret");
    }
  });

  test("names how much evidence was left out", () => {
    const evidence = Array.from({ length: 40 }, (_, index) => ({ source: `file ${index}`, says: "nothing" }));
    const event = eventOf("imds.no_role", { evidence });
    expect(event.evidence).toHaveLength(MAX_EVIDENCE);
    expect(event.evidence.at(-1)).toEqual({ source: "imds-guard", says: "9 more left out" });
    expect(eventOf("imds.no_role", { evidence: evidence.slice(0, 32) }).evidence.at(-1)?.source).toBe("file 31");
  });

  test("is bounded, frozen throughout, free of control characters, and holds only what was given", () => {
    fc.assert(
      fc.property(anyCode, anyDetails, (code, details) => {
        const event = eventOf(code, details);
        expect(event.message.length).toBeLessThanOrEqual(MAX_MESSAGE);
        expect(event.advice.length).toBeLessThanOrEqual(MAX_MESSAGE);
        expect(event.evidence.length).toBeLessThanOrEqual(MAX_EVIDENCE);
        walk(event, (value, path) => {
          if (typeof value === "object") expect(Object.isFrozen(value), path).toBe(true);
          if (typeof value !== "string") return;
          expect(value).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
          if (path !== "message" && path !== "advice") expect(value.length).toBeLessThanOrEqual(MAX_VALUE);
        });
        for (const key of ["claimed", "responder"] as const) {
          const given = Object.entries(details[key] ?? {}).filter(([, value]) => value !== undefined);
          expect(Object.keys(event[key] ?? {}).sort()).toEqual(given.map(([name]) => name).sort());
        }
        expect(event.endpoint?.port).toBe(details.endpoint?.port);
        expect(event.evidence.length).toBe(Math.min(details.evidence?.length ?? 0, MAX_EVIDENCE));
      }),
      { numRuns: 60 },
    );
  });

  test("details changed afterwards do not change it", () => {
    const evidence = [{ source: "a", says: "b" }];
    const event = eventOf("imds.no_role", { evidence });
    evidence.push({ source: "c", says: "d" });
    expect(event.evidence).toEqual([{ source: "a", says: "b" }]);
  });
});

describe("sinks", () => {
  test("one that throws or rejects stops neither the caller nor the others", async () => {
    const last = collector();
    const failing: Sink[] = [
      {
        write: () => {
          throw new Error("broken");
        },
      },
      { write: async () => Promise.reject(new Error("broken later")) },
      {
        write: () =>
          ({
            get then() {
              throw new Error("broken promise");
            },
          }) as unknown as undefined,
      },
      {
        write: () => {},
        close: () => {
          throw new Error("broken close");
        },
      },
      { write: () => {}, close: () => Promise.reject(new Error("broken close")) },
    ];
    const reporter = createReporter({ system: systemAt(), sinks: [...failing, last] });
    reporter.report("imds.no_role");
    await reporter.close();
    expect(last.events.map(({ code }) => code)).toEqual(["imds.no_role"]);
  });

  test("one that makes the guard report again is not called by its own report", () => {
    const other = collector();
    const seen: string[] = [];
    let reporter: Reporter | undefined;
    const echo: Sink = {
      write(event) {
        seen.push(event.code);
        reporter?.report("imds.unavailable");
      },
    };
    reporter = createReporter({ system: systemAt(), sinks: [echo, other] });
    reporter.report("imds.no_role");
    reporter.report("imds.no_role");
    expect(seen).toEqual(["imds.no_role", "imds.no_role"]);
    expect(other.events.map(({ code }) => code)).toEqual([
      "imds.unavailable",
      "imds.no_role",
      "imds.unavailable",
      "imds.no_role",
    ]);
  });

  test("what no sink wants is not built, and its details are not gathered", () => {
    const severities: string[] = [];
    const wanting = {
      ...collector(),
      wants: (severity: string) => (severities.push(severity), severity === "warning"),
    };
    const reporter = createReporter({ system: systemAt(), sinks: [wanting] });
    reporter.report("imds.refused_not_ec2", () => {
      throw new Error("was gathered");
    });
    reporter.report("imds.unattested_allowed", () => ({ message: "gathered" }));
    expect(severities).toEqual([CATALOGUE["imds.refused_not_ec2"].severity, "warning"]);
    expect(wanting.events.map(({ message }) => message)).toEqual(["gathered"]);
  });

  test("close is done once, and nothing is delivered afterwards", async () => {
    let closed = 0;
    const sink = { ...collector(), close: async () => void (closed += 1) };
    const reporter = createReporter({ system: systemAt(), sinks: [sink] });
    await Promise.all([reporter.close(), reporter.close()]);
    reporter.report("imds.no_role");
    expect(closed).toBe(1);
    expect(sink.events).toEqual([]);
  });

  test("a sink that never closes does not keep close waiting for ever", async () => {
    const sinks = [{ write: () => {}, close: () => new Promise<void>(() => {}) }];
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const closed = createReporter({ system: systemAt(), sinks }).close();
      vi.advanceTimersByTime(CLOSE_DEADLINE_MS);
      await expect(closed).resolves.toBeUndefined();
    } finally {
      vi.useRealTimers();
    }
  });
});

function walk(value: unknown, visit: (value: unknown, path: string) => void, path = ""): void {
  visit(value, path);
  if (typeof value !== "object" || value === null) return;
  for (const [key, item] of Object.entries(value)) walk(item, visit, path === "" ? key : `${path}.${key}`);
}
