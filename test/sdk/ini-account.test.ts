/** `fromIni` on its own: credentials of every kind of profile are held against `expectedAccounts`. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CredentialsProviderError } from "@smithy/core/config";
import { afterEach, describe, expect, it } from "vitest";
import { fromIni } from "../../src/sdk/ini.js";
import { accessKeyIdFor } from "../support/access-keys.mjs";

const OURS = "111122223333";
const STRANGER = "999988887777";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function initFor(text: string): { configFilepath: string; filepath: string; ignoreCache: true; profile: string } {
  const folder = mkdtempSync(join(tmpdir(), "imds-guard-ini-"));
  folders.push(folder);
  writeFileSync(join(folder, "config"), text);
  return { configFilepath: join(folder, "config"), filepath: join(folder, "none"), ignoreCache: true, profile: "app" };
}

const staticProfile = (account: string) =>
  `[profile app]\naws_access_key_id = ${accessKeyIdFor(account)}\naws_secret_access_key = secret\n`;
const guard = { expectedAccounts: [OURS], log: "off", probe: "off" } as const;

describe("fromIni with expectedAccounts", () => {
  it("gives static keys of an expected account", async () => {
    const { accessKeyId } = await fromIni({ ...initFor(staticProfile(OURS)), guard })();
    expect(accessKeyId).toBe(accessKeyIdFor(OURS));
  });

  it.each([
    ["static keys", staticProfile(STRANGER)],
    [
      "a process",
      `[profile app]\ncredential_process = echo '{"Version":1,"AccessKeyId":"${accessKeyIdFor(STRANGER)}","SecretAccessKey":"secret"}'\n`,
    ],
  ])("refuses %s of another account and stops the chain", async (_, text) => {
    const error: unknown = await fromIni({ ...initFor(text), guard })().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(CredentialsProviderError);
    expect(error).toMatchObject({ code: "ERR_IMDS_ACCOUNT_UNEXPECTED", kind: "impersonation", tryNextLink: false });
  });

  it("dresses a refusal of IMDS as an error of the SDK that lets the chain go on", async () => {
    const text =
      "[profile app]\nrole_arn = arn:aws:iam::111122223333:role/app\ncredential_source = Ec2InstanceMetadata\n";
    const error: unknown = await fromIni({ ...initFor(text), guard: { ...guard, mode: "deny" } })().catch(
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(CredentialsProviderError);
    expect(error).toMatchObject({ code: "ERR_IMDS_DISABLED", kind: "refused", tryNextLink: true });
  });
});
