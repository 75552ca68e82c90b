import Module from "node:module";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { KEEP_FUNCTION } from "../../src/fleet/keep-function.js";
import type { Fleet, StandInRegion } from "./run-fleet.js";
import { openFleet } from "./run-fleet.js";

type Handler = (
  event: unknown,
  context?: { getRemainingTimeInMillis: () => number },
) => Promise<Record<string, unknown>>;

const OWN = "123456789012";
const OPTIONS = { HttpTokens: "optional", HttpEndpoint: "enabled", HttpPutResponseHopLimit: 2 };
const EVENTS = resolve(import.meta.dirname, "events");
const event = (name: string): unknown => JSON.parse(readFileSync(join(EVENTS, `${name}.json`), "utf8")) as unknown;

/** The function as Lambda loads it: a file of CommonJS beside the SDK of the runtime. */
function load(): Handler {
  const path = resolve(import.meta.dirname, "index.js");
  const module = new Module(path) as Module & { _compile: (code: string, path: string) => void };
  module.paths = [resolve(import.meta.dirname, "../../node_modules")];
  module._compile(KEEP_FUNCTION, path);
  return (module.exports as { handler: Handler }).handler;
}

let fleet: Fleet;
let region: StandInRegion;
const SETTINGS = ["MODE", "DAYS", "EXCEPTION_TAG"];
const forget = (): void => SETTINGS.forEach((name) => Reflect.deleteProperty(process.env, name));
beforeEach(async () => {
  forget();
  fleet = await openFleet({ pageSize: 2 });
  region = fleet.region(OWN, "eu-central-1");
  vi.spyOn(console, "log").mockReturnValue();
  vi.spyOn(console, "error").mockReturnValue();
});
afterEach(async () => {
  vi.restoreAllMocks();
  forget();
  await fleet.close();
});

function add(number: number, rest: Partial<StandInRegion["instances"][number]>): void {
  const id = `i-0000000000000000${number.toString(16)}`;
  region.instances.push({ id, options: { ...OPTIONS }, ...rest });
}

const tokens = (): string =>
  region.instances.map(({ options }) => (options.HttpTokens === "required" ? "r" : "o")).join("");
const now = (): string => new Date().toISOString();
const LONG_AGO = "2024-01-01T00:00:00.000Z";

describe("the function of fleet keep", () => {
  it("enforces once a day where no call was seen, and nowhere else", async () => {
    add(1, { points: [[2, 0]] });
    add(2, { points: [[2, 1]] });
    add(3, { points: [[2, 0]], tags: { IMDS: "v1" } });
    add(4, {});
    add(5, { launched: now(), attached: now() });
    add(6, { options: { ...OPTIONS, HttpTokens: "required" } });
    add(7, { options: { ...OPTIONS, HttpEndpoint: "disabled" }, points: [[2, 0]] });
    add(8, { options: { ...OPTIONS, HttpTokens: "preferred" }, points: [[2, 0]] });
    expect(await load()(event("scheduled"))).toEqual({
      enforced: 1,
      failed: 0,
      whole: true,
      fine: 2,
      excepted: 1,
      used: 1,
      safe: 1,
      unknown: 3,
    });
    expect(tokens()).toBe("rooooroo");
    expect(region.instances[0]?.options).toEqual({ ...OPTIONS, HttpTokens: "required" });
  });

  it.each([
    ["a new one", { launched: now(), attached: now() }, 1],
    ["an old one of which nothing is known", { launched: now(), attached: LONG_AGO }, 0],
    [
      "an old one that made no call",
      { launched: now(), attached: LONG_AGO, points: [[30, 0]] as [number, number][] },
      1,
    ],
    [
      "an old one that made a call",
      { launched: now(), attached: LONG_AGO, points: [[30, 1]] as [number, number][] },
      0,
    ],
    ["a new one with the tag", { launched: now(), attached: now(), tags: { IMDS: "v1" } }, 0],
  ])("looks at the instance that has started alone: %s", async (_, rest, enforced) => {
    add(10, rest);
    add(1, { points: [[2, 0]] });
    expect(await load()(event("running"))).toMatchObject({ enforced });
    expect(tokens()).toBe(enforced === 1 ? "ro" : "oo");
  });

  it("changes nothing where it is told to report, and takes another tag", async () => {
    Object.assign(process.env, { MODE: "report", EXCEPTION_TAG: "team=legacy=yes" });
    add(1, { points: [[2, 0]] });
    add(2, { points: [[2, 0]], tags: { team: "legacy=yes" } });
    expect(await load()(event("scheduled"))).toMatchObject({ enforced: 0, safe: 1, excepted: 1 });
    expect(tokens()).toBe("oo");
  });

  it("enforces nothing where CloudWatch cannot be asked, and says what it did not get to", async () => {
    await fleet.close();
    fleet = await openFleet({
      pageSize: 1,
      fault: ({ action }) => (action === "GetMetricData" ? { status: 400, code: "AccessDeniedException" } : undefined),
    });
    region = fleet.region(OWN, "eu-central-1");
    add(1, { points: [[2, 0]] });
    add(2, { points: [[2, 0]] });
    const totals = await load()(event("scheduled"), { getRemainingTimeInMillis: () => 1_000 });
    expect(totals).toEqual({ enforced: 0, failed: 0, whole: false, unknown: 1 });
    expect(tokens()).toBe("oo");
  });

  it("refuses settings that it cannot honour", async () => {
    process.env["MODE"] = "enfroce";
    await expect(load()(event("scheduled"))).rejects.toThrow("MODE is neither enforce nor report");
  });
});

describe("fleet keep", () => {
  it("writes the bundle where nothing is yet", async () => {
    const out = join(fleet.folder, "keep");
    const { exitCode, json } = await fleet.run("keep", "--out", out, "--exception", "it's=${a}", "--json");
    expect(exitCode).toBe(0);
    const files = json["files"] as string[];
    expect(files.filter((name) => !existsSync(join(out, name)))).toEqual([]);
    const template = readFileSync(join(out, "cloudformation.yaml"), "utf8");
    expect(template).toContain("'aws:ResourceTag/it''s': '${a}'");
    expect(template).toContain("EXCEPTION_TAG: 'it''s=${a}'");
    const terraform = readFileSync(join(out, "main.tf"), "utf8");
    expect(terraform).toContain('values   = ["$${a}"]');
    expect(terraform).toContain('EXCEPTION_TAG = "it\'s=$${a}"');
    const policy = JSON.parse(readFileSync(join(out, "service-control-policy.json"), "utf8")) as {
      Statement: { Sid: string }[];
    };
    expect(policy.Statement.map(({ Sid }) => Sid)).toEqual([
      "LaunchWithImdsV2",
      "StayWithImdsV2",
      "NoImdsV1Credentials",
    ]);
    expect((await fleet.run("keep", "--out", out)).exitCode).toBe(3);
  });
});
