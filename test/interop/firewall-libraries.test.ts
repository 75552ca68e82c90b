/** Real HTTP, WebSocket, proxy and database clients, installed from their registry, against the firewall. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Pair } from "../e2e/firewall/worlds.js";
import { complaintsAbout, probesFor, REGISTER, runProbes } from "../e2e/firewall/worlds.js";
import { canUnshare } from "../support/machine.mjs";

const able = canUnshare();
if (!able.ok) console.log(`interop (firewall): skipped, no namespaces can be made here: ${able.reason}`);

describe.skipIf(!able.ok)("the firewall and third parties' clients", () => {
  const probes = able.ok ? probesFor(process.execPath, true) : [];
  let folder: string;
  let pairs: ReadonlyMap<string, Pair>;

  beforeAll(async () => {
    expect(existsSync(REGISTER), "build first").toBe(true);
    folder = mkdtempSync(join(tmpdir(), "imds-guard-libraries-"));
    writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true }));
    const names = [...new Set(probes.map(({ lib = "" }) => lib))];
    execFileSync("npm", ["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", ...names], {
      cwd: folder,
      stdio: "pipe",
    });
    pairs = await runProbes(process.execPath, probes, folder);
  }, 600_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(probes)("stops $name", (probe) => {
    const pair = pairs.get(probe.name);
    expect(
      pair === undefined ? ["was not run"] : complaintsAbout(probe, pair).map((what) => ({ what, ...pair })),
    ).toEqual([]);
  });
});
