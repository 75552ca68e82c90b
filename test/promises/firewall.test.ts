/** What SECURITY.md promises of the firewall, and attempts to break it on hosts of their own. */
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { assertNotMetadataUrl } from "../../src/firewall/index.js";
import { canUnshare, createMachine } from "../support/machine.mjs";

const WAYS = fileURLToPath(new URL("./ways-out.mjs", import.meta.url));
const withoutHosts = !canUnshare().ok;
const REGISTER = join(resolve(import.meta.dirname, "../.."), "dist/register.cjs");

describe.skipIf(withoutHosts)("P30: nothing of a process reaches a metadata service past the firewall", () => {
  test.each([
    ["put on by the preload", { execArgv: ["-r", REGISTER], env: {} }],
    ["put on in code", { execArgv: [], env: { FIREWALL_BY: "code" } }],
    [
      "put on in code, in a process with a V8 option",
      { execArgv: ["--max-old-space-size=200"], env: { FIREWALL_BY: "code" } },
    ],
  ])("%s", async (_, { execArgv, env }) => {
    const machine = await createMachine({ host: "laptop", network: "self" });
    try {
      await machine.serve({ kind: "behaviour", name: "flawless" });
      const open = await machine.run(WAYS, { args: ["open"], timeoutMs: 60_000 });
      // Without the firewall most of them arrive, or this would prove nothing.
      expect(
        Object.values(open.json as Record<string, string>).filter((way) => way === "reached").length,
      ).toBeGreaterThan(9);
      const before = await machine.seen();
      const { json, stderr } = await machine.run(WAYS, {
        execArgv,
        env: { ...env, IMDS_GUARD_PROBE: "off", IMDS_GUARD_LOG: "off" },
        timeoutMs: 60_000,
      });
      const ways = json as Record<string, string>;
      expect(
        Object.entries(ways).filter(([, way]) => way !== "refused"),
        stderr,
      ).toEqual([]);
      expect((await machine.seen()).connections).toBe(before.connections);
    } finally {
      await machine.close();
    }
  });
});

describe("P31: no URL leads to a metadata service past assertNotMetadataUrl", () => {
  test.each([
    "http://169.254.169.254/",
    "http://2852039166/",
    "http://0xa9.0376.43518/",
    "http://[::ffff:169.254.169.254]/",
    "http://[fd00:ec2:0::254]/",
    "http://１６９.254。169.254/",
    "http://user@169.254.169.254:80/",
    "http://169-254-169-254.nip.io/",
    "http://proxy.example/?u=http:/0xa9fea9fe/",
    "http://proxy.example/?u=http%253A%252F%252F169.254.169.254",
    "http://proxy.example/?u=%252525252568ttp://%252525252531%252525252536%252525252539.254.169.254",
    "http://proxy.example/?u=aHR0cDovLzB4YTlmZWE5ZmUv",
    "http://proxy.example/w:100/aHR0cDovL1tmZDAw/OmVjMjo6MjU0XQ.png",
    "http://proxy.example/687474703a2f2f32383532303339313636/x",
    "http://proxy.example/?u=YUhSMGNEb3ZMekUyT1M0eU5UUXVNVFk1TGpJMU5DOD0",
  ])("%s", (url) => {
    expect(() => assertNotMetadataUrl(url)).toThrow(expect.objectContaining({ code: "ERR_IMDS_URL_REFUSED" }) as Error);
  });
});
