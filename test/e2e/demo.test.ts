/** The demo is a promise to whoever tries it: it runs here as they would run it, in both of its forms. */
import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { canUnshare } from "../support/machine.mjs";

const ROOT = resolve(import.meta.dirname, "../..");

async function demo(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, ["examples/demo/demo.mjs", ...args], {
    cwd: ROOT,
    timeout: 60_000,
  });
  return stdout;
}

const fits = (text: string) => text.split("\n").filter((line) => line.length > 80);

describe("demo", () => {
  it.skipIf(!canUnshare().ok)("shows whole hosts", async () => {
    const shown = await demo();
    expect(shown).toMatch(/their account +666666666666: not yours +-\n/);
    expect(shown).toMatch(/connections +3 +0\n/);
    expect(shown).toContain("ERR_IMDS_NOT_EC2");
    expect(shown).toContain("imds.impersonation_detected (critical)");
    expect(shown).toContain("MAC 02:00:00:00:fe:fe, on uplink");
    expect(shown).toMatch(/their account +111122223333 +111122223333\n/);
    expect(shown).toContain("signature valid");
    expect(fits(shown)).toEqual([]);
    expect(shown).not.toContain("\u001b");
  });

  it("shows the same on loopback where there are no namespaces", async () => {
    const shown = await demo("--loopback");
    expect(shown).toMatch(/their account +666666666666: not yours +-\n/);
    expect(shown).toContain("ERR_IMDS_ATTESTATION_INVALID");
    expect(shown).toMatch(/their account +111122223333\n/);
    expect(fits(shown)).toEqual([]);
  });
});
