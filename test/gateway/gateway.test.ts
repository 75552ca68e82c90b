/** The gateway as a whole: guard, rules, answers, log, counters and events, for programs of this host over loopback. */
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Accounts } from "../../src/gateway/accounts.js";
import type { Gateway, GatewayOptions } from "../../src/gateway/gateway.js";
import { readRulesFile, startGateway } from "../../src/gateway/gateway.js";
import { MAX_RULES_BYTES } from "../../src/gateway/rules-file.js";
import type { Rig } from "../guard/guarded-host.js";
import { LAPTOP, NITRO, rigOn, startSigningImds } from "../guard/guarded-host.js";
import type { ImdsServer } from "../support/imds-server.mjs";

const OWN = process.getuid?.() ?? 0;
const TOKEN = "X-aws-ec2-metadata-token";
const accounts: Accounts = {
  uidOf: (name) => ({ web: OWN })[name],
  gidOf: () => undefined,
  userName: (uid) => (uid === OWN ? "web" : undefined),
  groupsOf: () => [],
  // Whoever runs this test is an ordinary user.
  uidMin: OWN + 1,
  people: [],
};

let folder = "";
let rulesFile = "";
let notes: string[] = [];
let rig: Rig | undefined;
let gateway: Gateway | undefined;
let imds: ImdsServer;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "imds-guard-gateway-"));
  rulesFile = join(folder, "rules.toml");
  notes = [];
  imds = await startSigningImds();
});
afterEach(async () => {
  await gateway?.close();
  gateway = undefined;
  await rig?.guard.close();
  rig = undefined;
  await imds.close();
  rmSync(folder, { recursive: true });
});

async function start(
  files: Readonly<Record<string, string>>,
  options: Partial<GatewayOptions> = {},
  made = rigOn(imds, {}, files, files === LAPTOP ? { AWS_EC2_METADATA_SERVICE_ENDPOINT: "" } : {}),
): Promise<void> {
  rig = made;
  gateway = await startGateway({
    guard: made.guard,
    system: made.system,
    accounts,
    port: 0,
    bridges: [],
    rulesFile,
    rulesOptional: false,
    v1: "refuse",
    note: (text) => notes.push(text),
    ...options,
  });
}

interface Reply {
  readonly status: number;
  readonly body: string;
}

function ask(method: string, path: string, headers: Record<string, string> = {}, host = "127.0.0.1"): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const to = { host, port: gateway!.port, method, path, agent: false };
    request({ ...to, headers: { Host: "169.254.169.254", ...headers } }, (answer) => {
      let body = "";
      answer.setEncoding("utf8").on("data", (piece: string) => (body += piece));
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, body }));
    })
      .on("error", reject)
      .end();
  });
}
const token = async (): Promise<string> =>
  (await ask("PUT", "/latest/api/token", { "X-aws-ec2-metadata-token-ttl-seconds": "60" })).body;
const get = async (path: string): Promise<Reply> => ask("GET", path, { [TOKEN]: await token() });
const own = () => rig!.events.filter(({ code }) => code.startsWith("gateway."));

describe.skipIf(process.platform !== "linux")("the gateway", () => {
  it("refuses everybody off EC2, and says so in log, counters and one event", async () => {
    const path = join(folder, "access.jsonl");
    await start(LAPTOP, { rulesOptional: true, accessLog: { path, format: "json" } });
    expect([gateway!.rules(), gateway!.refusal]).toEqual([0, expect.stringContaining("not EC2")]);
    expect(await ask("GET", "/latest/meta-data/mac")).toMatchObject({ status: 403 });
    expect(await ask("GET", "/latest/meta-data/mac")).toMatchObject({ status: 403 });
    expect(own()).toMatchObject([{ code: "gateway.refused", message: expect.stringContaining('of "web" asked for') }]);
    rig!.advance(600_000);
    await ask("GET", "/latest/meta-data/mac");
    expect(own()).toHaveLength(2);
    expect(gateway!.counter.text()).toContain('version="1",verdict="refused"} 3\n');
    await gateway!.close();
    const lines = readFileSync(path, "utf8").trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject(
      Array.from({ length: 3 }, () => ({ uid: OWN, user: "web", status: 403, path: "/latest/meta-data/mac" })),
    );
    expect([imds.counters.total, notes]).toEqual([0, []]);
  });

  it("answers on EC2 what the rules give, and tells of what they do not", async () => {
    writeFileSync(rulesFile, '[[rule]]\nuser = "web"\nrole = true\npaths = ["/latest/meta-data/instance-id"]\n');
    await start(NITRO);
    expect([gateway!.rules(), gateway!.refusal, notes]).toEqual([1, undefined, []]);
    expect(await get("/latest/meta-data/instance-id")).toEqual({ status: 200, body: imds.identity.instanceId });
    const role = "/latest/meta-data/iam/security-credentials/";
    const { body } = await get(role);
    expect(JSON.parse((await get(role + body)).body)).toMatchObject({ SecretAccessKey: imds.identity.secretAccessKey });
    expect((await get("/latest/meta-data/mac")).status).toBe(403);
    expect((await ask("GET", "/latest/meta-data/mac")).status).toBe(401);
    expect((await ask("GET", "/latest/meta-data/mac", { [TOKEN]: "x" })).status).toBe(401);
    expect(own()).toMatchObject([{ code: "gateway.denied" }, { code: "gateway.v1_request" }]);
  });

  it("answers without a token where that is only reported", async () => {
    writeFileSync(rulesFile, '[[rule]]\nuser = "web"\n');
    await start(NITRO, { v1: "report" });
    expect((await ask("GET", "/latest/meta-data/instance-id")).status).toBe(200);
    expect(own()).toMatchObject([{ code: "gateway.v1_request" }]);
  });

  const six = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === "::1") === true);
  it.skipIf(!six)("is there over IPv6, too", async () => {
    await start(LAPTOP, { rulesOptional: true });
    expect((await ask("GET", "/latest/meta-data/mac", {}, "::1")).status).toBe(403);
  });

  it("is there on bridges, whose clients it tells by their addresses", async () => {
    const bridges = [
      { name: "br0", addresses: ["127.0.0.8"] },
      { name: "br1", addresses: ["127.0.0.9"] },
    ];
    await start(LAPTOP, { rulesOptional: true, bridges });
    for (const host of ["127.0.0.8", "127.0.0.9"])
      expect((await ask("GET", "/latest/meta-data/mac", {}, host)).status).toBe(403);
    // It is loopback all the same, and its clients are programs of this host.
    expect(gateway!.counter.text()).not.toContain('program="br');
  });

  it("warns once of a user with too many connections", async () => {
    await start(LAPTOP, { rulesOptional: true });
    const sockets = Array.from({ length: 1_030 }, () =>
      connect(gateway!.port, "127.0.0.1").on("error", () => undefined),
    );
    await expect
      .poll(() => notes, { timeout: 20_000 })
      .toEqual(["warning: user web has too many connections; some were ended"]);
    expect((await ask("GET", "/latest/meta-data/mac")).status).toBe(403);
    expect(notes).toHaveLength(1);
    for (const socket of sockets) socket.destroy();
  });

  it("warns of an access log that cannot be written", async () => {
    const path = join(folder, "none", "access.jsonl");
    await start(LAPTOP, { rulesOptional: true, accessLog: { path, format: "ecs" } });
    await ask("GET", "/latest/meta-data/mac");
    await expect
      .poll(() => notes, { timeout: 20_000 })
      .toEqual([`warning: ${path} cannot be written (ENOENT); lines wait for it`]);
  });
});

describe("whoever answers as IMDS", () => {
  const denied = async (files: Readonly<Record<string, string>>, probe: "on" | "off"): Promise<void> =>
    start(files, { rulesOptional: true }, rigOn(imds, { mode: "deny", probe }, files));

  it("is looked for where every request is refused off EC2", async () => {
    await denied(LAPTOP, "on");
    await expect.poll(() => rig!.codes(), { timeout: 20_000 }).toEqual(["imds.impersonation_detected"]);
    expect(imds.counters.total).toBe(1);
  });

  it.each([
    ["on EC2", NITRO, "on"],
    ["where that is off", LAPTOP, "off"],
  ] as const)("is not looked for %s", async (_, files, probe) => {
    await denied(files, probe);
    // Had it been asked, it would have been asked before this answer came.
    await ask("GET", "/latest/meta-data/mac");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([imds.counters.total, gateway!.refusal]).toEqual([0, expect.stringContaining("mode")]);
  });
});

describe("the rules", () => {
  it("are read again when that is asked for, and stay where the new ones are wrong", async () => {
    writeFileSync(rulesFile, '[[rule]]\nuser = "web"\n[[rule]]\nuser = 1\n');
    await start(LAPTOP);
    expect(gateway!.rules()).toBe(2);
    writeFileSync(rulesFile, "[[rule]]\nuser = 1\n");
    gateway!.reload();
    expect([gateway!.rules(), notes]).toEqual([1, ["rules read again: 1 in force"]]);
    writeFileSync(rulesFile, "[[rule]]\nusr = 1\n".repeat(7));
    notes = [];
    gateway!.reload();
    const complaint = `${rulesFile} cannot be used: line 2, column 1: "usr" is not known; did you mean user?`;
    expect([gateway!.rules(), notes]).toEqual([1, [`warning: ${complaint}; the rules that were stay in force`]]);
    expect(own()).toMatchObject([
      {
        code: "gateway.rules_invalid",
        message: complaint,
        evidence: [2, 4, 6, 8, 10].map((line) => ({
          source: rulesFile,
          says: `line ${line}, column 1: "usr" is not known; did you mean user?`,
        })),
        advice: `Run imds-guard gateway check ${rulesFile}, correct it, and reload again.`,
      },
    ]);
    rmSync(rulesFile);
    gateway!.reload();
    expect([gateway!.rules(), notes[1]]).toEqual([
      1,
      `warning: ${rulesFile} cannot be used: it cannot be read (ENOENT); the rules that were stay in force`,
    ]);
  });

  it("name users that are not there with a warning", async () => {
    writeFileSync(rulesFile, '[[rule]]\n\nuser = "gone"\n');
    await start(LAPTOP);
    expect(notes).toEqual([`warning: ${rulesFile}:3: this host has no user gone: the rule fits nobody by that name`]);
  });

  it.each<[string, (path: string) => void, string]>([
    ["are not there", () => undefined, "it cannot be read (ENOENT)"],
    ["are a folder", () => (rulesFile = folder), "it is no regular file"],
    ["are too many", (path) => large(path, MAX_RULES_BYTES + 1), "it has 1048577 bytes; at most 1048576"],
    ["are wrong", (path) => writeFileSync(path, "[[rule]]\n  role = 5\n"), 'line 2, column 3: role is "5"'],
  ])("that %s let nothing begin", async (_, lay, says) => {
    lay(rulesFile);
    await expect(start(LAPTOP)).rejects.toMatchObject({
      name: "RulesError",
      code: "ERR_GATEWAY_RULES",
      message: expect.stringContaining(`${rulesFile} cannot be used: ${says}`),
      problems: [expect.stringContaining(says)],
    });
  });

  it("may be missing where that is no mistake, and only then", async () => {
    await start(LAPTOP, { rulesOptional: true });
    expect([gateway!.rules(), notes]).toEqual([0, []]);
    await gateway!.close();
    writeFileSync(rulesFile, "[[rule]]\nrole = 5\n");
    await expect(start(LAPTOP, { rulesOptional: true })).rejects.toThrow("line 2, column 1");
  });

  it("are read up to their largest size", () => {
    large(rulesFile, MAX_RULES_BYTES);
    expect(readRulesFile(rulesFile, accounts)).toEqual({ rules: [], problems: [], notes: [] });
  });

  const large = (path: string, bytes: number): void => {
    writeFileSync(path, "#".repeat(bytes));
    truncateSync(path, bytes);
  };
});
