/** Which requests are events, in which words, and how often. */
import { describe, expect, it } from "vitest";
import type { EventDetails } from "../../src/events/catalogue.js";
import type { EventCode } from "../../src/events/weights.js";
import { createAnnouncer, seldom } from "../../src/gateway/announcer.js";
import type { Exchange } from "../../src/gateway/responder.js";
import type { Caller } from "../../src/gateway/rules.js";
import { exchange } from "./exchange.js";

function announcer(first: (kind: string) => boolean = () => true) {
  const events: { code: EventCode; details: EventDetails }[] = [];
  const report = (code: EventCode, details: EventDetails | (() => EventDetails) = {}) =>
    void events.push({ code, details: typeof details === "function" ? details() : details });
  return { events, announce: createAnnouncer({ report, close: () => Promise.resolve() }, first) };
}
const DENIED: Partial<Exchange> = { status: 403, outcome: "denied", reason: "rule 1 gives no role" };

describe("a request", () => {
  it.each<[EventCode | undefined, Partial<Exchange>]>([
    [undefined, {}],
    [undefined, { status: 401, outcome: "denied" }],
    [undefined, { status: 400, outcome: "malformed" }],
    [undefined, { status: 503, outcome: "unavailable" }],
    ["gateway.denied", DENIED],
    ["gateway.refused", { status: 403, outcome: "refused" }],
    ["gateway.refused", { status: 403, outcome: "refused", version: 1 }],
    ["gateway.v1_request", { version: 1 }],
    ["gateway.v1_request", { status: 401, outcome: "denied", version: 1 }],
    ["gateway.v1_request", { ...DENIED, version: 1 }],
  ])("is the event %s: %j", (code, given) => {
    const { events, announce } = announcer();
    announce(exchange(given));
    expect(events.map((event) => event.code)).toEqual(code === undefined ? [] : [code]);
  });

  const LONG = "c".repeat(300);
  const [PROGRAM, PID, USER] = [
    { source: "program", value: "curl", says: "asked" },
    { source: "pid", value: "7", says: "its process" },
    { source: "user", value: "web", says: "owns the socket, as the kernel says" },
  ];
  const ENDING = 'asked for "/latest/meta-data/mac" (IMDSv2, answered 403: rule 1 gives no role)';
  it.each<[Partial<Caller>, string, readonly object[]]>([
    [{}, '"curl" (pid 7) of "web"', [PROGRAM, PID, USER]],
    [{ user: undefined }, '"curl" (pid 7) of "user 1500"', [PROGRAM, PID, { ...USER, value: "1500" }]],
    [{ user: undefined, uid: 0 }, '"curl" (pid 7) of "user 0"', [PROGRAM, PID, { ...USER, value: "0" }]],
    [{ user: undefined, uid: undefined }, '"curl" (pid 7) of "an unknown user"', [PROGRAM, PID]],
    [{ program: undefined }, 'a program of "web"', [PID, USER]],
    [{ pid: undefined }, '"curl" (pid 0) of "web"', [PROGRAM, USER]],
    [{ program: "a\nb", user: "w\x1b[0m" }, '"a\\nb" (pid 7) of "w\\u001b[0m"', [{}, {}, {}]],
    [{ program: undefined, user: "w\x1b[0m" }, 'a program of "w\\u001b[0m"', [{}, {}]],
    [
      { unit: "web.service", container: LONG },
      '"curl" (pid 7) of "web"',
      [
        PROGRAM,
        PID,
        USER,
        { source: "unit", value: "web.service", says: "the systemd unit of the process" },
        { source: "container", value: LONG.slice(0, 100), says: "the container of the process" },
      ],
    ],
    [
      { bridge: "br0", program: undefined, pid: undefined, user: undefined, uid: undefined },
      "a client at 10.0.0.5 on br0",
      [{ source: "address", value: "10.0.0.5", says: "where it came from, on br0" }],
    ],
  ])("of %j is told as one of %s", (who, name, evidence) => {
    const { events, announce } = announcer();
    announce(exchange(DENIED, who));
    expect(events).toHaveLength(1);
    expect(events[0]?.details.message).toBe(`${name} ${ENDING}`);
    expect(events[0]?.details.evidence).toMatchObject(evidence);
  });

  it("is told with its path, version and status, and with what to do", () => {
    const { events, announce } = announcer();
    announce(exchange({ version: 1, path: "/a\tb" }));
    announce(exchange({ outcome: "refused", status: 403, reason: "this host is not EC2" }));
    announce(exchange(DENIED));
    expect(events.map(({ details: { message, advice } }) => [message, advice])).toEqual([
      [
        '"curl" (pid 7) of "web" asked for "/a\\tb" (IMDSv1, answered 200)',
        "Update the AWS SDK of this program, or whatever else in it asks without a token; then require IMDSv2.",
      ],
      [
        '"curl" (pid 7) of "web" asked for "/latest/meta-data/mac" (IMDSv2, answered 403: this host is not EC2)',
        "Give this program credentials of another kind, or tell it not to ask (AWS_EC2_METADATA_DISABLED=true). Without the gateway it would believe whoever answers.",
      ],
      [
        `"curl" (pid 7) of "web" ${ENDING}`,
        "If this program needs it, give its user a rule in the gateway's file and reload.",
      ],
    ]);
  });

  it.each<[boolean, Partial<Exchange>, Partial<Caller>]>([
    [true, {}, {}],
    [true, { path: "/other", method: "PUT" }, { pid: 8, user: "w", unit: "x.service", address: "10.0.0.6" }],
    [false, { reason: "another" }, {}],
    [false, { version: 1 }, {}],
    [false, {}, { uid: 1 }],
    [false, {}, { program: "wget" }],
    [false, {}, { container: "c" }],
    [false, {}, { bridge: "br0" }],
  ])("is of the same kind (%s) with %j and %j", (same, given, who) => {
    const { events, announce } = announcer(seldom(() => 0));
    announce(exchange(DENIED));
    announce(exchange({ ...DENIED, ...given }, who));
    expect(events).toHaveLength(same ? 1 : 2);
  });

  it("on a bridge is of another kind for each address", () => {
    const { events, announce } = announcer(seldom(() => 0));
    for (const address of ["10.0.0.5", "10.0.0.6", "10.0.0.5"]) announce(exchange(DENIED, { bridge: "br0", address }));
    expect(events).toHaveLength(2);
  });
});

describe("what is said seldom", () => {
  it("is said again after ten minutes, and each kind for itself", () => {
    let now = 0;
    const first = seldom(() => now);
    expect([first("a"), first("a"), first("b")]).toEqual([true, false, true]);
    now = 599_999;
    expect(first("a")).toBe(false);
    now = 600_000;
    expect([first("a"), first("a"), first("b")]).toEqual([true, false, true]);
  });

  it("is remembered for so many kinds, and of more for those said last", () => {
    let now = 0;
    const first = seldom(() => now);
    for (let index = 0; index < 256; index += 1) first(String(index));
    expect(first("0")).toBe(false);
    now = 600_000;
    // Said anew, it is the youngest.
    expect(first("0")).toBe(true);
    expect(first("one more")).toBe(true);
    now = 599_999;
    expect([first("0"), first("2"), first("1")]).toEqual([false, false, true]);
  });
});
