/** The judge of the matrix: it must be able to say no. */
import { describe, expect, it } from "vitest";
import { accessKeyIdFor } from "../support/access-keys.mjs";
import { ACCOUNT, REGION } from "./hosts.mjs";
import type { Ran } from "./hosts.mjs";
import { judgeDoors, judgeStock } from "./judge.mjs";
import { page } from "./page.mjs";
import { judgeSuite } from "./runners.mjs";

const KEY = accessKeyIdFor(ACCOUNT);
const STRANGE = accessKeyIdFor("999988887777");

function ran(json: object | undefined, more: Partial<Ran> = {}): Ran {
  const sent = { connections: 0, datagrams: 0 };
  const base = { exitCode: 0, signal: null, timedOut: false, stdout: "", stderr: "", json, ms: 100, sent };
  return { ...base, ...more } as Ran;
}

describe("doors", () => {
  const stock = ran({ chain: { value: KEY }, region: { value: REGION }, s3: { error: "Error" } });

  it.each([
    ["all as without the guard", { chain: { value: KEY }, region: { value: REGION }, ssrf: { code: "EACCES" } }],
    ["more than without it", { chain: { value: KEY }, region: { value: REGION }, s3: { value: `${KEY} ${REGION}` } }],
  ])("are good on EC2: %s", (_, json) => {
    expect(judgeDoors(ran(json), "EC2", stock)).toBeUndefined();
  });

  it.each<[string, object | undefined, Partial<Ran>]>([
    ["a refusal", { chain: { code: "ERR_IMDS_NOT_EC2" } }, {}],
    ["a stranger's key", { chain: { value: STRANGE } }, {}],
    ["no key", { chain: { value: "x" } }, {}],
    ["another region", { chain: { value: KEY }, region: { value: "us-west-2" } }, {}],
    ["a request signed for another", { s3: { value: `${KEY} us-west-2` } }, {}],
    ["a forged request that came through", { ssrf: { value: "token" } }, {}],
    ["a crash", { chain: { value: KEY } }, { exitCode: 1, stderr: "TypeError: no" }],
    ["no outcome", undefined, {}],
    ["a hang", { chain: { value: KEY } }, { timedOut: true }],
    ["IMDSv1", { chain: { value: KEY } }, { seen: { withoutToken: 1 } }],
    ["noise", { chain: { value: KEY } }, { stderr: "imds-guard: a\nimds-guard: b\n" }],
  ])("are not: %s", (_, json, more) => {
    expect(judgeDoors(ran(json, more), "EC2", stock)).toBeTypeOf("string");
  });

  it("may have nothing elsewhere but what nobody was asked for", () => {
    const refused = { chain: { code: "ERR_IMDS_NOT_EC2" }, auto: { value: "standard" } };
    expect(judgeDoors(ran(refused), "impersonator", undefined)).toBeUndefined();
    expect(judgeDoors(ran({ chain: { value: STRANGE } }), "impersonator", undefined)).toBeTypeOf("string");
    expect(judgeDoors(ran(refused, { sent: { connections: 1, datagrams: 0 } }), "black hole", undefined)).toBeTypeOf(
      "string",
    );
  });

  it("tell whether a host does what it is there for", () => {
    expect(judgeStock(ran({ chain: { value: STRANGE } }), "impersonator")).toBeUndefined();
    expect(judgeStock(ran({ chain: { error: "Error" } }), "impersonator")).toBeTypeOf("string");
    expect(judgeStock(ran({ chain: { error: "Error" } }), "laptop")).toBeUndefined();
    expect(judgeStock(ran({ chain: { value: KEY } }), "laptop")).toBeTypeOf("string");
  });
});

describe("suites", () => {
  it.each<[string, Partial<Ran>]>([
    ["a failing test", { exitCode: 1, stdout: "FAIL a.test.js" }],
    ["a handle that stays open", { stderr: "Jest did not exit one second after the test run has completed." }],
    ["two lines of one process", { stderr: "imds-guard: a\nimds-guard: b\n" }],
  ])("are not good with %s", (_, more) => {
    expect(judgeSuite(ran(undefined, more), 1)).toBeTypeOf("string");
  });

  it("are with one line for each process", () => {
    expect(judgeSuite(ran(undefined, { stderr: "imds-guard: a\nimds-guard: b\n" }), 2)).toBeUndefined();
  });
});

it("writes a page with the oldest version that works by each door", () => {
  const result = (name: string, wrong?: string) => ({
    group: "AWS SDK",
    name: `AWS SDK ${name}`,
    form: "import",
    cells: [{ host: "EC2", ms: 1, ...(wrong !== undefined && { wrong }) }],
  });
  const text = page([result("3.300.0"), result("3.400.0", "ended | at /tmp/x/y.js:1"), result("3.500.0")], {
    date: new Date("2026-01-02T03:04:05Z"),
    versions: { jest: "30.0.0" },
    node: "v20.0.0",
  });
  expect(text).toContain("2026-01-02, Node.js 20.0.0, Linux. 3 programs, 3 runs, 1 programs failed.");
  expect(text).toContain("| import | 3.500.0 |");
  expect(text).toContain("| AWS SDK 3.400.0 |  | import: ended at y.js:1 |");
  expect(text).toContain("- jest 30.0.0");
});
