/** The program as a process: readers that go away, and signals. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CLI, isBuilt } from "./script.js";

if (!isBuilt()) console.log("command line processes skipped: dist/cli.js is not built");

describe.skipIf(!isBuilt())("imds-guard", () => {
  it("ends quietly when its reader goes away", () => {
    const script = 'set -o pipefail; "$1" "$2" sigma print | head -1 | cat';
    const { status, stdout, stderr } = spawnSync("bash", ["-c", script, "bash", process.execPath, CLI], {
      encoding: "utf8",
    });
    expect(stdout.split("\n")).toHaveLength(2);
    expect(stderr).toBe("");
    // Small output may fit into the pipe before the reader is gone.
    expect([0, 3]).toContain(status);
  });

  it("reads a list of accounts once, so that a pipe can be one", () => {
    const folder = mkdtempSync(join(tmpdir(), "imds-guard-sigma-"));
    const script = '"$1" "$2" sigma write "$3" --accounts @<(echo 111122223333)';
    const { status, stderr } = spawnSync("bash", ["-c", script, "bash", process.execPath, CLI, folder], {
      encoding: "utf8",
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(readFileSync(join(folder, "imds-guard-accounts.zeek"), "utf8")).toContain("111122223333");
    rmSync(folder, { recursive: true });
  });

  it("reads access key ids from standard input, however they are cut", () => {
    const input = `ASIAY34FZKBOKMUTVV7A\n"AKIAQI52OJVCPZXFYAOI",AKIAIOSFODNN7EXAMPLE ${"x".repeat(1_000_000)}`;
    const { status, stdout } = spawnSync(process.execPath, [CLI, "account", "-", "--json"], {
      input,
      encoding: "utf8",
    });
    expect(status).toBe(3);
    const { keys } = JSON.parse(stdout) as { keys: { account?: string; reason?: string }[] };
    expect(keys.map(({ account, reason }) => account ?? reason)).toEqual([
      "609629065308",
      "019181489476",
      "documentation",
      "not-an-access-key",
    ]);
  });

  it.each(["SIGINT", "SIGTERM"] as const)("stops on %s, and lets the parent know by what", async (signal) => {
    const child = spawn(process.execPath, [CLI, "scan", "--format", "zeek-json", "-"], {
      stdio: ["pipe", "ignore", "pipe"],
    });
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
    child.stdin.on("error", () => undefined);
    // What it reads shows that it is listening.
    await new Promise<void>((resolve) => {
      const line = Buffer.from(`{"x":"${"y".repeat(60_000)}"}\n`);
      let sent = 0;
      const feed = (): void => {
        child.stdin.write(line, () => (++sent < 20 ? feed() : resolve()));
      };
      feed();
    });
    child.kill(signal);
    const [code, by] = (await once(child, "exit")) as [number | null, string | null];
    expect({ code, by, said }).toEqual({ code: null, by: signal, said: "" });
  });
});
