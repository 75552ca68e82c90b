/**
 * Every command of the single executable on a host on which there is no Node.js to be found, and what it gives the
 * programs that `exec` starts.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { COMMANDS } from "../../src/cli/commands.js";
import { PACKAGE_VERSION } from "../../src/base/package-version.js";
import { createSigner } from "../support/identity-signer.mjs";
import type { Machine, RunResult } from "../support/machine.mjs";
import { canUnshare, createMachine } from "../support/machine.mjs";

const BINARY = process.env["RIG_BINARY"] ?? "";
const able = canUnshare();
const signer = createSigner();
const folder = mkdtempSync(join(tmpdir(), "imds-guard-binary-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A call for each command, and what it has to print. */
const CALLS: Readonly<Record<string, { args: string[]; exitCode: number; prints: RegExp }>> = {
  detect: { args: ["--json"], exitCode: 0, prints: /"verdict":"ec2"/ },
  doctor: { args: [], exitCode: 0, prints: /^This host$/m },
  exec: { args: ["--", "/bin/echo", "started"], exitCode: 0, prints: /^started$/m },
  serve: { args: ["--help"], exitCode: 0, prints: /imds-guard serve/ },
  "credential-process": { args: [], exitCode: 0, prints: /"AccessKeyId":"ASIA/ },
  scan: { args: ["--format", "zeek-json", "/dev/null"], exitCode: 0, prints: /0 findings|nothing|no finding/i },
  sigma: { args: ["write", join(folder, "rules")], exitCode: 0, prints: /written/ },
  fleet: { args: ["--help"], exitCode: 0, prints: /imds-guard fleet/ },
  policy: { args: ["scp"], exitCode: 0, prints: /"Statement"/ },
  monitor: { args: ["--help"], exitCode: 0, prints: /imds-guard monitor/ },
  gateway: { args: ["install", "--dry-run"], exitCode: 0, prints: /table/ },
  account: { args: ["--help"], exitCode: 0, prints: /imds-guard account/ },
  init: { args: [folder], exitCode: 0, prints: /^0 files read/ },
  demo: { args: ["--loopback"], exitCode: 0, prints: /stock SDK chain/ },
  completion: { args: ["bash"], exitCode: 0, prints: /^complete .*imds-guard$/m },
  man: { args: [], exitCode: 0, prints: /^\.TH IMDS-GUARD/m },
  help: { args: ["exec"], exitCode: 0, prints: /imds-guard exec/ },
};

describe.skipIf(!able.ok)("on an EC2 host without Node.js", () => {
  let machine: Machine;
  const env = {
    PATH: "/nonexistent",
    HOME: join(folder, "home"),
    IMDS_GUARD_CERTIFICATES: `eu-central-1=${join(folder, "key.pem")}`,
  };
  const run = (...args: string[]): Promise<RunResult> =>
    machine.run(BINARY, { node: "/usr/bin/env", args, env, timeoutMs: 60_000 });

  beforeAll(async () => {
    if (!existsSync(BINARY)) throw new Error(`${BINARY} is not built: npm run build:binary`);
    machine = await createMachine({ host: "ec2-nitro", network: "self" });
    writeFileSync(join(folder, "key.pem"), signer.publicKeyPem);
    await machine.serve({
      kind: "genuine",
      privateKeyPem: signer.privateKeyPem,
      identity: { account: "111122223333", region: "eu-central-1" },
    });
  });
  afterAll(() => machine.close());

  test("it tells its version, and its help names every command", async () => {
    expect((await run("--version")).stdout).toBe(`${PACKAGE_VERSION}\n`);
    const { stdout } = await run("help");
    for (const { name } of await COMMANDS.loadAll()) expect(stdout).toContain(`\n    ${name}`);
  });
  test("each command is called below", async () => {
    expect(Object.keys(CALLS).sort()).toEqual((await COMMANDS.loadAll()).map(({ name }) => name).sort());
  });

  test.each(Object.entries(CALLS))("%s", async (name, { args, exitCode, prints }) => {
    const ran = await run(name, ...args);
    expect(ran.stderr).not.toMatch(/unexpected|not in this executable/);
    expect(ran.stdout).toMatch(prints);
    expect(ran.exitCode).toBe(exitCode);
    expect((await run(name, "--help")).stdout).toContain(`imds-guard ${name}`);
  });

  test("exec gives its preload to programs of Node.js, which then reach IMDS through the guard or not at all", async () => {
    const ask = `fetch("http://169.254.169.254/latest/api/token", { method: "PUT" }).then(() => console.log("reached"), (error) => console.log(error.cause?.code))`;
    const { stdout, exitCode } = await run("exec", "--", process.execPath, "-e", ask);
    expect({ stdout, exitCode }).toEqual({ stdout: "EACCES\n", exitCode: 0 });
  });
});

test("keeps the port of exec for what a program has left running", async () => {
  const left = join(folder, "left");
  const script = `echo "$AWS_CONTAINER_CREDENTIALS_FULL_URI" > "${left}"; sleep 300 >/dev/null 2>&1 & echo $! >> "${left}"`;
  const { status } = spawnSync(BINARY, ["exec", "--serve-all", "--", "sh", "-c", script], {
    stdio: "ignore",
    env: {
      PATH: "/usr/bin:/bin",
      HOME: join(folder, "home"),
      IMDS_GUARD_MODE: "deny",
      IMDS_GUARD_PROBE: "off",
      AWS_ACCESS_KEY_ID: "AKIAQEXAMPLEKEYIDXYZ",
      AWS_SECRET_ACCESS_KEY: "secret",
    },
  });
  expect(status).toBe(0);
  const [url = "", pid = ""] = readFileSync(left, "utf8").split("\n");
  try {
    const stranger = createServer();
    const taken = new Promise((resolve) => stranger.once("error", resolve).once("listening", resolve));
    stranger.listen(Number(new URL(url).port), "127.0.0.1");
    expect(await taken).toMatchObject({ code: "EADDRINUSE" });
    expect((await fetch(url)).status).toBe(503);
  } finally {
    process.kill(Number(pid));
  }
});
