import fc from "fast-check";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { callsIn, readEvidence } from "../../src/fleet/evidence.js";
import { recordOf } from "../../src/gateway/access-log.js";

const folder = mkdtempSync(join(tmpdir(), "imds-guard-evidence-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ID = "i-0123456789abcdef0";
const TIME = "2026-11-27T10:00:00.000Z";

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const access = (version: 1 | 2): object =>
  recordOf(
    {
      caller: { address: "127.0.0.1", uid: 0, user: "root", pid: 4, program: "/opt/agent" },
      method: "GET",
      path: "/latest/meta-data/",
      version,
      status: 200,
      outcome: "answered",
      reason: "",
    } as never,
    Date.parse(TIME),
  );

describe("evidence", () => {
  it.each([
    [
      "a trace on a terminal",
      "[WARNING] IMDSv1(!) (pid:6028:curl argv:curl http://169.254.169.254/latest/meta-data/) called by -> (pid:6027:makeCalls.sh argv:/bin/bash ./makeCalls.sh) -> (pid:4081:zsh argv:-zsh)",
      { program: "curl http://169.254.169.254/latest/meta-data/", version: 1, source: "packet-analyzer" },
    ],
    [
      "a trace in a file",
      "[2022-12-20T12:57:51] [WARNING] IMDSv1(!) (pid:7:python3 argv:/usr/bin/python3 /opt/a (1).py --password hunter2) called by -> (pid:1:systemd argv:/sbin/init) Req details: GET / HTTP/1.1",
      {
        program: "/usr/bin/python3 /opt/a (1).py --password ***",
        version: 1,
        source: "packet-analyzer",
        time: Date.parse("2022-12-20T12:57:51Z"),
      },
    ],
    [
      "a trace with milliseconds",
      "[2024-05-06 11:21:26,128] [INFO] IMDSv2 (pid:4467:agent argv:agent run) called by -> (pid:1:systemd argv:x) Req details: GET /",
      { program: "agent run", version: 2, time: Date.parse("2024-05-06T11:21:26.128Z") },
    ],
    [
      "a trace of a process that has ended",
      "[ERROR] {MISSING PAYLOAD} IMDSv1(!) (pid:12 Unable to get argv information) called by -> (pid:3 Unable to get argv information)",
      { program: "pid 12", version: 1 },
    ],
    [
      "an event of CloudTrail behind EventBridge",
      JSON.stringify({
        detail: {
          eventTime: TIME,
          userAgent: "aws-sdk-go/1.15",
          userIdentity: { principalId: `AROAXXXXXXXXXXXXXXXXX:${ID}`, sessionContext: { ec2RoleDelivery: "1.0" } },
        },
      }),
      { program: "aws-sdk-go/1.15", version: 1, instanceId: ID, time: Date.parse(TIME), source: "cloudtrail" },
    ],
    [
      "an event of CloudTrail's event history",
      JSON.stringify({
        Events: [
          {
            CloudTrailEvent: JSON.stringify({
              eventTime: TIME,
              userAgent: "x",
              userIdentity: { arn: `arn:aws:sts::1:assumed-role/r/${ID}`, sessionContext: { ec2RoleDelivery: "2.0" } },
            }),
          },
        ],
      }),
      { version: 2, instanceId: ID },
    ],
    ["the gateway's access log", JSON.stringify(access(1)), { program: "/opt/agent", version: 1, source: "gateway" }],
    [
      "the gateway's access log behind a shipper",
      JSON.stringify({ cloud: { instance: { id: ID } }, message: JSON.stringify(access(1)) }),
      { program: "/opt/agent", version: 1, instanceId: ID },
    ],
    [
      "the gateway's report",
      JSON.stringify({ rows: [{ program: "curl", v1: 7, v2: 1, last: TIME, denied: 0, user: "root" }], requests: 8 }),
      { program: "curl", version: 1, count: 7, time: Date.parse(TIME), source: "gateway" },
    ],
  ])("is read from %s", (_, text, call) => {
    expect(callsIn(text)).toEqual([expect.objectContaining(call)]);
  });

  it("is none of a line of something else", () => {
    expect(callsIn("GET /latest/meta-data/ HTTP/1.1")).toBeUndefined();
    expect(callsIn('{"a":1}')).toBeUndefined();
  });

  it("takes any text, and never throws", () => {
    const part = fc.constantFrom(
      "IMDSv1(!) ",
      "(pid:1:",
      "argv:",
      ") called by -> ",
      "[2022-12-20T12:57:51] ",
      "{",
      "[",
      '"',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.array(fc.oneof(part, fc.string())).map((all) => all.join("")),
        ),
        (text) => {
          const calls = callsIn(text);
          expect(calls === undefined || Array.isArray(calls)).toBe(true);
        },
      ),
    );
  });

  it("belongs to the instance that the word, the file or the line names, and counts within the days alone", async () => {
    const line = (time: string): string =>
      `[${time}] [WARNING] IMDSv1(!) (pid:1:curl argv:curl x) called by -> (pid:1:a argv:a)\n`;
    const named = file(`${ID}.log`, line("2026-11-27T10:00:00") + line("2026-11-01T10:00:00") + "other\n");
    const bare = file("trace.log", line("2026-11-27T11:00:00"));
    const since = Date.parse("2026-11-14T00:00:00Z");
    const evidence = await readEvidence([named, `i-0123456789abcdef1=${bare}`, bare], since);
    expect(evidence.of(ID)).toMatchObject({ calls: 1, last: "2026-11-27T10:00:00.000Z" });
    expect(evidence.of("i-0123456789abcdef1")).toMatchObject({ calls: 1 });
    expect(evidence.unplaced).toMatchObject({ calls: 1, programs: [{ program: "curl x" }] });
    expect(evidence.files).toMatchObject([
      { calls: 1, others: 1, notUnderstood: 1, withoutInstance: 0 },
      { calls: 1, withoutInstance: 0 },
      { calls: 1, withoutInstance: 1 },
    ]);
  });

  it("reads a document of CloudTrail record by record", async () => {
    const record = (number: number): object => ({
      eventTime: TIME,
      userAgent: `agent-${number % 3}`,
      userIdentity: { principalId: `AROA:${ID}`, sessionContext: { ec2RoleDelivery: "1.0" } },
    });
    const trail = file("trail.json", JSON.stringify({ Records: Array.from({ length: 9_000 }, (_, at) => record(at)) }));
    const evidence = await readEvidence([trail], 0);
    expect(evidence.of(ID)).toMatchObject({ calls: 9_000 });
    expect(evidence.of(ID)?.programs).toHaveLength(3);
  });
});
