/** Rules of the packet filter as text; the access log and its report. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openAccessLog, recordOf, ROTATE_BYTES } from "../../src/gateway/access-log.js";
import { createCounter } from "../../src/gateway/counters.js";
import { describePlan } from "../../src/gateway/install.js";
import { iptablesCalls, nftRules, TABLE } from "../../src/gateway/packet-filter.js";
import { reportOf } from "../../src/gateway/report.js";
import type { Exchange } from "../../src/gateway/responder.js";
import { readState, writeState } from "../../src/gateway/state.js";

const folder = mkdtempSync(join(tmpdir(), "imds-guard-gateway-"));
afterAll(() => rmSync(folder, { recursive: true }));

const PLAN = { uid: 123, port: 9_100, bridges: ["docker0", "br-1"] };

describe("the packet filter", () => {
  it("exempts one user, leads both addresses, and touches its own table alone", () => {
    const text = nftRules(PLAN);
    expect(text.match(/^(?:table|delete table) .*$/gm)).toEqual([
      `table inet ${TABLE} {}`,
      `delete table inet ${TABLE}`,
      `table inet ${TABLE} {`,
    ]);
    expect(text).toContain("meta skuid 123 accept");
    expect(text.match(/redirect to :9100/g)).toHaveLength(4);
    expect(text).toContain('iifname { "docker0", "br-1" } ip daddr 169.254.169.254');
    expect(nftRules({ ...PLAN, bridges: [] })).not.toContain("prerouting");
  });

  it("is the same for iptables, whose built-in chains are led into its own once", () => {
    const calls = iptablesCalls(PLAN);
    expect(calls.map(({ command }) => command[0])).toEqual([
      "ip6tables-restore",
      "ip6tables",
      "ip6tables",
      "iptables-restore",
      "iptables",
      "iptables",
    ]);
    expect(calls[0]?.input).toContain("--uid-owner 123 -j RETURN");
    expect(calls[1]?.unless).toContain("-C");
    expect(describePlan(PLAN, "iptables")).toContain("fd00:ec2::254/128");
  });
});

const exchange = (given: Partial<Exchange> & { readonly user?: string } = {}): Exchange => ({
  caller: {
    uid: 1_500,
    user: given.user ?? "web",
    gids: [],
    pid: 7,
    program: "curl",
    unit: undefined,
    container: undefined,
    address: "10.0.0.5",
    bridge: undefined,
  },
  method: "GET",
  path: "/latest/meta-data/mac",
  version: 2,
  status: 200,
  outcome: "answered",
  reason: "",
  ...given,
});

describe("the access log", () => {
  it("is rotated, and its report reads what was rotated, too", async () => {
    const path = join(folder, "access.jsonl");
    writeFileSync(path, `${JSON.stringify(recordOf(exchange({ version: 1 }), 0))}\n${" ".repeat(ROTATE_BYTES)}\n`);
    const log = openAccessLog(path, "json", () => undefined);
    log.write(recordOf(exchange(), 1_000));
    log.write(recordOf(exchange({ user: "batch", outcome: "denied", status: 403 }), 2_000));
    await log.close();
    expect(readFileSync(path, "utf8").trim().split("\n")).toHaveLength(2);
    const { rows, requests, notUnderstood } = await reportOf(path);
    expect({ requests, notUnderstood }).toEqual({ requests: 3, notUnderstood: 1 });
    expect(rows).toMatchObject([
      { program: "curl", user: "web", v1: 1, v2: 1, denied: 0, paths: ["/latest/meta-data/mac"] },
      { program: "curl", user: "batch", v1: 0, v2: 1, denied: 1, last: "1970-01-01T00:00:02.000Z" },
    ]);
  });

  it.each(["ecs", "ocsf"] as const)("has the form of %s", async (format) => {
    const path = join(folder, `${format}.jsonl`);
    const log = openAccessLog(path, format, () => undefined);
    log.write(recordOf(exchange(), 1_000));
    await log.close();
    const line = JSON.parse(readFileSync(path, "utf8"));
    if (format === "ecs")
      expect(line).toMatchObject({
        "@timestamp": "1970-01-01T00:00:01.000Z",
        event: { category: ["web"], outcome: "success" },
        user: { id: "1500" },
      });
    else
      expect(line).toMatchObject({ class_uid: 4002, type_uid: 400_203, time: 1_000, actor: { process: { pid: 7 } } });
    expect((await reportOf(path)).notUnderstood).toBe(1);
  });

  it("that cannot be written says so once, and counts what is lost", async () => {
    const said: string[] = [];
    const log = openAccessLog(join(folder, "none", "x"), "json", (code) => said.push(code));
    for (let index = 0; index < 10; index += 1) log.write(recordOf(exchange(), index));
    await log.close();
    expect({ said, lost: log.lost() }).toEqual({ said: ["ENOENT"], lost: 10 });
  });
});

it("counts by program, version and verdict, with names that cannot break a line", () => {
  const counter = createCounter();
  const odd = exchange();
  counter.count({ ...odd, caller: { ...odd.caller, program: 'a"\n\\b' } });
  counter.count(odd);
  counter.count(odd);
  expect(counter.text()).toContain(
    'imds_guard_gateway_requests_total{program="a\\"\\n\\\\b",version="2",verdict="answered"} 1\n',
  );
  expect(counter.text()).toContain('{program="curl",version="2",verdict="answered"} 2\n');
});

it.skipIf(process.getuid?.() !== 0)("a state file that others may write says nothing", () => {
  const path = join(folder, "state.json");
  writeState({ ...PLAN, user: "imds-guard", by: "nft" }, path);
  expect(readState(path)).toMatchObject({ uid: 123, user: "imds-guard" });
  rmSync(path);
  writeFileSync(path, JSON.stringify({ ...PLAN, user: "x", by: "nft" }), { mode: 0o666 });
  expect(readState(path) === undefined || process.umask() !== 0).toBe(true);
});
