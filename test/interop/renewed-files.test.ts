/**
 * Applications that know nothing of imds-guard, under the preload: keys in a shared file that is renewed while they run,
 * and profiles and variables that name IAM Roles Anywhere.
 */
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, truncateSync, unlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { accessKeyIdFor, accountOf } from "../support/access-keys.mjs";
import { issue } from "../support/certificates.mjs";
import type { Service } from "../support/roles-anywhere-service.mjs";
import { startRolesAnywhereService } from "../support/roles-anywhere-service.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const REGISTER = join(ROOT, "dist", "register.cjs");
const PROGRAM = fileURLToPath(new URL("clients/renewing.cjs", import.meta.url));
const ACCOUNT = "111122223333";
const root = issue({ name: "Root", ca: true });
const leaf = issue({ name: "app", issuer: root });

let s3: Server;
let service: Service;
let folder: string;
const running = new Set<ChildProcessWithoutNullStreams>();

beforeAll(async () => {
  expect(existsSync(REGISTER), "build first").toBe(true);
  // Says who signed.
  s3 = createServer((request, response) =>
    response.end(/Credential=([A-Z0-9]+)/.exec(request.headers.authorization ?? "")?.[1] ?? "nobody"),
  );
  await new Promise<void>((resolve) => s3.listen(0, "127.0.0.1", resolve));
});
afterAll(() => s3.close());
beforeEach(async () => {
  service = await startRolesAnywhereService({ anchors: [root.cert] });
  folder = mkdtempSync(join(tmpdir(), "imds-guard-renewing-"));
  writeFileSync(join(folder, "tls.crt"), leaf.cert);
  writeFileSync(join(folder, "tls.key"), leaf.key, { mode: 0o600 });
});
afterEach(async () => {
  for (const child of running) child.kill();
  running.clear();
  await service.close();
  rmSync(folder, { recursive: true });
});

interface Answers {
  readonly default: string;
  readonly fromIni: string;
  readonly fromNodeProviderChain: string;
}

/** Starts the application; each call has it ask with all of its clients. */
function start(env: Record<string, string> = {}): () => Promise<Answers> {
  const child = spawn(process.execPath, ["-r", REGISTER, PROGRAM], {
    env: {
      PATH: process.env["PATH"],
      HOME: folder,
      AWS_CONFIG_FILE: join(folder, "config"),
      AWS_SHARED_CREDENTIALS_FILE: join(folder, "credentials"),
      AWS_EC2_METADATA_DISABLED: "true",
      IMDS_GUARD_PROBE: "off",
      IMDS_GUARD_EVENTS_FILE: join(folder, "events.jsonl"),
      S3_STAND_IN: `http://127.0.0.1:${(s3.address() as AddressInfo).port}`,
      NODE_NO_WARNINGS: "1",
      ...env,
    },
  });
  running.add(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  return async () => {
    child.stdin.write("\n");
    const line = await lines.next();
    if (line.done === true) throw new Error(`the application ended: ${errors}`);
    return JSON.parse(line.value) as Answers;
  };
}

const every = (text: string): Answers => ({ default: text, fromIni: text, fromNodeProviderChain: text });
const key = (count: number, account = ACCOUNT): string => accessKeyIdFor(account, String(count));
const file = (count: number, account = ACCOUNT): string =>
  `[default]\naws_access_key_id = ${key(count, account)}\naws_secret_access_key = s\naws_session_token = t\n`;
const wait = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe("a shared file that is renewed", () => {
  test("is read again by every door of the stock SDK", async () => {
    const path = join(folder, "credentials");
    writeFileSync(path, file(1));
    const ask = start();
    expect(await ask()).toEqual(every(key(1)));
    truncateSync(path, 0);
    await wait(1_300);
    expect(await ask()).toEqual(every(key(1)));
    writeFileSync(path, file(2));
    await wait(1_300);
    expect(await ask()).toEqual(every(key(2)));
    unlinkSync(path);
    await wait(1_300);
    expect(await ask()).toEqual(every(key(2)));
    // What cannot be read at all is no other than what is gone.
    mkdirSync(path);
    await wait(1_300);
    expect(await ask()).toEqual(every(key(2)));
  }, 30_000);

  test("and held against the expected accounts", async () => {
    writeFileSync(join(folder, "credentials"), file(1));
    const ask = start({ IMDS_GUARD_EXPECTED_ACCOUNTS: ACCOUNT });
    expect(await ask()).toEqual(every(key(1)));
    writeFileSync(join(folder, "credentials"), file(2, "999988887777"));
    await wait(1_300);
    const refused = expect.stringMatching(/ERR_IMDS_ACCOUNT_UNEXPECTED/) as string;
    expect(await ask()).toEqual(every(refused));
  }, 30_000);
});

describe("IAM Roles Anywhere", () => {
  const settings = (): Record<string, string> => ({
    certificate: join(folder, "tls.crt"),
    private_key: join(folder, "tls.key"),
    trust_anchor_arn: `arn:aws:rolesanywhere:eu-central-1:${ACCOUNT}:trust-anchor/6f0e2c1a`,
    profile_arn: `arn:aws:rolesanywhere:eu-central-1:${ACCOUNT}:profile/9a2b4c6d`,
    role_arn: `arn:aws:iam::${ACCOUNT}:role/app`,
    endpoint: service.url,
  });
  const expectOfRole = ({ ...answers }: Answers): void => {
    for (const answer of Object.values(answers)) expect(accountOf(answer as string), answer as string).toBe(ACCOUNT);
  };

  test("named by a profile", async () => {
    const lines = Object.entries(settings()).map(([name, value]) => `imds_guard_roles_anywhere_${name} = ${value}`);
    writeFileSync(join(folder, "config"), `[profile premises]\n${lines.join("\n")}\n`);
    expectOfRole(await start({ AWS_PROFILE: "premises" })());
    expect(service.requests).toHaveLength(1);
  }, 30_000);

  test("named by the environment, for the default chain", async () => {
    const variables = Object.entries(settings()).map(
      ([name, value]) => [`IMDS_GUARD_ROLES_ANYWHERE_${name.toUpperCase()}`, value] as const,
    );
    const { fromIni: ofProfile, ...others } = await start(Object.fromEntries(variables))();
    expectOfRole({ ...others, fromIni: others.default });
    expect(ofProfile).toMatch(/^CredentialsProviderError/);
  }, 30_000);

  test("named by a line of aws_signing_helper, which is not run", async () => {
    const { certificate, private_key, trust_anchor_arn, profile_arn, role_arn } = settings();
    writeFileSync(
      join(folder, "config"),
      `[default]\ncredential_process = aws_signing_helper credential-process --certificate ${certificate} --private-key ${private_key} --trust-anchor-arn ${trust_anchor_arn} --profile-arn ${profile_arn} --role-arn ${role_arn} --endpoint ${service.url}\n`,
    );
    expectOfRole(await start()());
  }, 30_000);
});
