/**
 * The AWS helper for IAM Roles Anywhere, built from its Go module, and this package's reading of the same line: both
 * against one service that verifies. Skipped where Go or its module is not to be had.
 */
import { execFile, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fromIni } from "../../src/sdk/ini.js";
import { issue } from "../support/certificates.mjs";
import type { Service } from "../support/roles-anywhere-service.mjs";
import { startRolesAnywhereService } from "../support/roles-anywhere-service.mjs";

const MODULE = "github.com/aws/rolesanywhere-credential-helper@v1.4.0";
const ACCOUNT = "111122223333";
const folder = mkdtempSync(join(tmpdir(), "imds-guard-helper-"));
const program = join(folder, "aws_signing_helper");
const root = issue({ name: "Root", ca: true });
const issuing = issue({ name: "Issuing", ca: true, issuer: root });
let service: Service;

beforeAll(async () => {
  service = await startRolesAnywhereService({ anchors: [root.cert] });
  try {
    execFileSync("go", ["install", MODULE], {
      env: { ...process.env, GOBIN: folder, GOFLAGS: "-mod=mod" },
      stdio: "pipe",
      timeout: 500_000,
    });
    execFileSync("mv", [join(folder, "rolesanywhere-credential-helper"), program]);
  } catch (error) {
    console.log(`interop/roles-anywhere-helper: skipped, the helper cannot be built: ${(error as Error).message}`);
  }
}, 520_000);
afterAll(async () => {
  await service.close();
  rmSync(folder, { recursive: true });
});

describe("the same line, run and read", () => {
  test.each(["rsa", "p256", "p384", "p521"] as const)("with a key of kind %s and an intermediate", async (kind) => {
    if (!existsSync(program)) return;
    const leaf = issue({ name: kind, issuer: issuing, kind });
    const file = (name: string, text: string): string => {
      const path = join(folder, `${kind}-${name}`);
      writeFileSync(path, text, { mode: 0o600 });
      return path;
    };
    const line = [
      program,
      "credential-process",
      `--certificate ${file("tls.crt", leaf.cert)}`,
      `--private-key ${file("tls.key", leaf.key)}`,
      `--intermediates ${file("ca.crt", issuing.cert)}`,
      `--role-arn arn:aws:iam::${ACCOUNT}:role/app`,
      `--profile-arn arn:aws:rolesanywhere:eu-central-1:${ACCOUNT}:profile/11111111-2222-3333-4444-555555555555`,
      `--trust-anchor-arn arn:aws:rolesanywhere:eu-central-1:${ACCOUNT}:trust-anchor/66666666-7777-8888-9999-000000000000`,
      `--endpoint ${service.url}`,
    ].join(" ");
    const configFilepath = file("config", `[profile app]\ncredential_process = ${line}\n`);
    const filepath = file("credentials", "");
    const begun = service.requests.length;
    // Not synchronously: the service answers in this very process.
    const env = { PATH: process.env["PATH"], AWS_EC2_METADATA_DISABLED: "true" };
    const { stdout } = await promisify(execFile)("sh", ["-c", line], { env, timeout: 30_000 });
    const byHelper = JSON.parse(stdout) as Record<string, string>;
    const provide = fromIni({
      profile: "app",
      configFilepath,
      filepath,
      guard: { log: "off", expectedAccounts: [ACCOUNT] },
    });
    const { accountId, sessionToken, expiration } = await provide();
    const requests = service.requests.slice(begun);
    expect(requests.map(({ verdict }) => verdict)).toEqual([
      expect.objectContaining({ ok: true }),
      { ...requests[0]?.verdict, ok: true },
    ]);
    // What was asked for is the same, and so is what is given: the service numbers its sessions.
    const [helper, own] = requests.map(({ target }) => Object.fromEntries(new URLSearchParams(target.split("?")[1])));
    expect(own).toEqual(helper);
    expect(byHelper["AccessKeyId"]).toMatch(/^ASIA/);
    expect(accountId).toBe(ACCOUNT);
    expect(sessionToken).toHaveLength(byHelper["SessionToken"]?.length ?? 0);
    expect(Math.abs((expiration?.getTime() ?? 0) - Date.parse(byHelper["Expiration"] ?? ""))).toBeLessThan(60_000);
  });
});

test("its update writes the file, and what it writes is taken over while the program runs", async () => {
  if (!existsSync(program)) return;
  // It renews five minutes ahead: of sessions that live two seconds longer, every two seconds.
  const brief = await startRolesAnywhereService({ anchors: [root.cert], lifeMs: 302_000 });
  const leaf = issue({ name: "app", issuer: root });
  const home = mkdtempSync(join(tmpdir(), "imds-guard-update-"));
  const file = (name: string, text: string): string => {
    writeFileSync(join(home, name), text, { mode: 0o600 });
    return join(home, name);
  };
  const filepath = file("credentials", "");
  const words = [
    "update",
    ...["--certificate", file("tls.crt", leaf.cert), "--private-key", file("tls.key", leaf.key)],
    ...["--role-arn", `arn:aws:iam::${ACCOUNT}:role/app`],
    ...["--profile-arn", `arn:aws:rolesanywhere:eu-central-1:${ACCOUNT}:profile/11111111-2222-3333-4444-555555555555`],
    "--trust-anchor-arn",
    `arn:aws:rolesanywhere:eu-central-1:${ACCOUNT}:trust-anchor/66666666-7777-8888-9999-000000000000`,
    ...["--endpoint", brief.url],
  ];
  const env = {
    PATH: process.env["PATH"],
    HOME: home,
    AWS_SHARED_CREDENTIALS_FILE: filepath,
    AWS_EC2_METADATA_DISABLED: "true",
  };
  const child = spawn(program, words, { env, stdio: "ignore" });
  try {
    const provider = fromIni({
      filepath,
      configFilepath: file("config", ""),
      guard: { log: "off", expectedAccounts: [ACCOUNT] },
    });
    while (brief.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
    await new Promise((resolve) => setTimeout(resolve, 300));
    const seen = new Set<string>();
    for (let turn = 0; turn < 80; turn += 1) {
      seen.add((await provider({})).accessKeyId);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(brief.requests.length).toBeGreaterThan(2);
    expect(seen.size).toBeGreaterThanOrEqual(brief.requests.length - 1);
  } finally {
    child.kill();
    await brief.close();
    rmSync(home, { recursive: true });
  }
}, 60_000);
