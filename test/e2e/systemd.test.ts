/** The units of examples under systemd itself, booted in namespaces of root's with a file system of its own. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const NAMESPACES = ["--pid", "--fork", "--kill-child", "--mount", "--net", "--uts", "--ipc", "--cgroup"];

function reasonAgainst(): string | undefined {
  if (process.getuid?.() !== 0) return "it needs root";
  for (const program of ["/lib/systemd/systemd", "nft", "curl"])
    if (spawnSync(program, ["--version"]).error) return `it needs ${program}`;
  const tried = spawnSync("unshare", [
    ...NAMESPACES,
    "sh",
    "-c",
    "mount -t tmpfs none /mnt && mkdir /mnt/u /mnt/w /mnt/m /mnt/c && mount -t cgroup2 none /mnt/c && mount -t overlay overlay -o lowerdir=/usr,upperdir=/mnt/u,workdir=/mnt/w /mnt/m",
  ]);
  return tried.status === 0 ? undefined : "no overlay and no control groups of its own can be made here";
}
const reason = reasonAgainst();
if (reason !== undefined) console.log(`e2e (systemd): skipped: ${reason}`);

it.skipIf(reason !== undefined)(
  "the gateway's units start, reload, come back and fail closed",
  () => {
    const folder = mkdtempSync(join(tmpdir(), "imds-guard-systemd-"));
    try {
      for (const name of ["place", "out"]) mkdirSync(join(folder, name));
      const boot = ["bash", join(ROOT, "test/e2e/systemd/boot.sh"), ROOT, folder, process.execPath];
      execFileSync("unshare", [...NAMESPACES, ...boot], {
        stdio: ["ignore", "ignore", "inherit"],
        timeout: 150_000,
        killSignal: "SIGKILL",
        env: { PATH: process.env["PATH"] },
      });
      const text = readFileSync(join(folder, "out", "answer"), "utf8");
      const seen = Object.fromEntries(
        text
          .trim()
          .split("\n")
          .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
      );
      expect(seen).toEqual({
        active: "active active ",
        uid: "990 990",
        // CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE, and no more to be had.
        capabilities: "0000000000080004 0000000000080004 0000000000080004 ",
        refused: "403",
        status: "0",
        same: "yes",
        killed: "000",
        restarted: "403",
        // The same socket for both.
        owners: "owners of connections by sock_diag;owners of connections by sock_diag;",
        stopped: "000",
        gone: "1",
        report: "curl root agent.service; curl person job.service; ",
        journal: expect.stringMatching(/^1 in force;line 2, column 1: "usr" is not known;$/) as string,
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
  180_000,
);
