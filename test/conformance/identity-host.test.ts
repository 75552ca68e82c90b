/** Real documents with real AWS signatures, on whole hosts: no test key, no setting, only what AWS signed. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { accessKeyIdFor } from "../support/access-keys.mjs";
import { canUnshare, createMachine } from "../support/machine.mjs";
import { fileURLToPath } from "node:url";

interface Vector {
  readonly id: string;
  readonly accountId: string;
  readonly instanceId: string;
  readonly region: string;
  readonly rsa2048?: string;
  readonly expect: "valid" | "invalid";
}

const folder = new URL("../../../shared/identity-vectors/", import.meta.url);
const absent = !existsSync(folder);
const able = canUnshare();
if (absent) console.log("conformance/identity-host: skipped, ../shared/identity-vectors is not there");
else if (!able.ok) console.log(`conformance/identity-host: skipped, no machines can be made here: ${able.reason}`);

const vectors = absent
  ? []
  : readdirSync(folder)
      .filter((name) => name.endsWith(".json"))
      .map((name) => JSON.parse(readFileSync(new URL(name, folder), "utf8")) as Vector)
      .filter((vector) => vector.rsa2048 !== undefined && vector.expect === "valid");
const CLIENT = fileURLToPath(new URL("../e2e/chain-client.mjs", import.meta.url));

describe.skipIf(absent || !able.ok)("a document that AWS signed", () => {
  it.each(vectors)("$id is proved end to end on its own instance, and on no other", async (vector) => {
    const machine = await createMachine({ host: "ec2-nitro" });
    try {
      const accessKeyId = accessKeyIdFor(vector.accountId, "real");
      const { accountId: account, instanceId, region, rsa2048 } = vector;
      await machine.serve({
        kind: "behaviour",
        name: "flawless",
        persona: { account, instanceId, region, accessKeyId, rsa2048 },
      });
      const order = {
        apis: ["chain"],
        guard: { attestation: "required", probe: "off", log: "off", timeout: 15_000, expectedAccounts: [account] },
      };
      const run = async () =>
        (await machine.run(CLIENT, { args: ["--once", JSON.stringify(order)], env: { RIG_MODULE: "imds-guard" } }))
          .json;

      // The machine's own asset tag is of another instance.
      expect(await run()).toMatchObject({ keys: [], code: "ERR_IMDS_INSTANCE_MISMATCH" });
      await machine.command("sh", ["-c", `printf '%s\\n' ${instanceId} > /sys/class/dmi/id/board_asset_tag`]);
      expect(await run()).toMatchObject({ keys: [accessKeyId] });
      await machine.serve({ kind: "behaviour", name: "flawless", persona: { account, instanceId, region, rsa2048 } });
      expect(await run()).toMatchObject({ keys: [], code: "ERR_IMDS_ACCOUNT_MISMATCH" });
    } finally {
      await machine.close();
    }
  });
});
