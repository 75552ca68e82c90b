/**
 * A laptop with somebody who answers as IMDS: credentials come from Roles Anywhere, for this package's chain, and
 * through `exec` for the AWS CLI and boto3; whoever answers there sees nothing.
 */
import { spawnSync } from "node:child_process";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { accountOf } from "../support/access-keys.mjs";
import { canUnshare } from "../support/machine.mjs";
import { withMachine } from "./rig.js";

const PROGRAM = fileURLToPath(new URL("./roles-anywhere-laptop.mjs", import.meta.url));
const ACCOUNT = "111122223333";
const able = canUnshare();
if (!able.ok) console.log(`e2e (roles anywhere): skipped, no machines can be made here: ${able.reason}`);
const has = (program: string, ...args: string[]): boolean => spawnSync(program, args).status === 0;
const withCli = has("aws", "--version");
const withBoto3 = has("python3", "-c", "import boto3");
if (!withCli || !withBoto3) console.log("e2e (roles anywhere): without the AWS CLI or boto3, which are not here");

describe.skipIf(!able.ok)("roles anywhere on a laptop", () => {
  it("gives every program its role, and the impersonator no packet", async () => {
    await withMachine({ host: "laptop", network: "neighbour" }, async (machine) => {
      await machine.serve({ kind: "behaviour", name: "flawless" });
      const { json, stderr } = await machine.run(PROGRAM, {
        env: {
          PATH: process.env["PATH"] ?? "",
          PYENV_ROOT: process.env["PYENV_ROOT"] ?? join(homedir(), ".pyenv"),
          ...(withCli && { WITH_CLI: "1" }),
          ...(withBoto3 && { WITH_BOTO3: "1" }),
        },
        timeoutMs: 90_000,
      });
      expect(json, stderr).toMatchObject({ chain: ACCOUNT });
      const outcome = json as { readonly cli?: string; readonly boto3?: string; readonly signed: readonly string[] };
      if (withCli) {
        expect(JSON.parse(outcome.cli ?? "")).toMatchObject({ Account: ACCOUNT });
        expect(outcome.signed).toEqual([ACCOUNT]);
      }
      if (withBoto3) expect(accountOf((JSON.parse(outcome.boto3 ?? "") as { key: string }).key)).toBe(ACCOUNT);
      expect(await machine.seen()).toMatchObject({ connections: 0, requests: {} });
    });
  }, 120_000);
});
