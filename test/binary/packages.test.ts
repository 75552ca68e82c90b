/** What operators install: the Debian package, judged by lintian, and the OCI image, run as its user in a namespace. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PACKAGE_VERSION } from "../../src/base/package-version.js";
import { canUnshare } from "../support/machine.mjs";

const BINARY = process.env["RIG_BINARY"] ?? "";
const ROOT = join(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "imds-guard-packages-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const installed = (program: string): boolean => {
  const found = spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;
  if (!found) console.log(`skipped, because ${program} is not installed`);
  return found;
};
const build = (script: string, ...args: string[]): string =>
  execFileSync(process.execPath, [join(ROOT, "scripts", script), "--binary", BINARY, ...args], {
    encoding: "utf8",
  }).trim();

describe.skipIf(!installed("dpkg-deb"))("the Debian package", () => {
  let file = "";
  beforeAll(() => {
    file = build("build-deb.mjs", "--output", folder);
  }, 400_000);

  test("brings units, manual page, completions and a user, and nobody else's files", () => {
    const paths = execFileSync("dpkg-deb", ["--fsys-tarfile", file], { maxBuffer: 2 ** 28 });
    const names = execFileSync("tar", ["-tf", "-"], { input: paths, encoding: "utf8", maxBuffer: 2 ** 28 });
    for (const path of [
      "usr/bin/imds-guard",
      "lib/systemd/system/imds-guard-monitor.service",
      "lib/systemd/system/imds-guard-serve.socket",
      "usr/lib/sysusers.d/imds-guard.conf",
      "usr/share/man/man1/imds-guard.1.gz",
      "usr/share/bash-completion/completions/imds-guard",
      "usr/share/doc/imds-guard/copyright",
    ])
      expect(names).toContain(`./${path}\n`);
    const owners = execFileSync("dpkg-deb", ["--contents", file], { encoding: "utf8" }).trim().split("\n");
    expect(owners.filter((line) => !line.includes(" root/root "))).toEqual([]);
  });

  test.skipIf(!installed("lintian"))("lintian has nothing to say against it", { timeout: 300_000 }, () => {
    const { stdout, stderr } = spawnSync("lintian", ["--allow-root", "--pedantic", "--display-info", file], {
      encoding: "utf8",
    });
    expect(`${stdout}${stderr}`.trim()).toBe("");
  });
});

const able = canUnshare();
describe.skipIf(!installed("umoci") || !able.ok)("the OCI image", () => {
  const root = join(folder, "bundle/rootfs");
  beforeAll(() => {
    const image = build("build-image.mjs", "--output", join(folder, "image"));
    execFileSync("umoci", ["unpack", "--rootless", "--image", image, join(folder, "bundle")], { stdio: "ignore" });
  }, 200_000);
  // Where extra certificates are named for this host, they are not in there.
  const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;
  const run = (...args: string[]) =>
    spawnSync("unshare", ["--user", "--map-user=10100", "--net", `--root=${root}`, "/usr/bin/imds-guard", ...args], {
      encoding: "utf8",
      env: { ...env, PATH: env["PATH"], HOME: "/" },
    });

  test("runs as a user that is not root, by its number", () => {
    const config = execFileSync("sh", ["-c", `cat "${folder}/bundle/config.json"`], { encoding: "utf8" });
    const { process } = JSON.parse(config) as { process: { user: { uid: number }; args: string[] } };
    expect(process.user.uid).toBe(10100);
    expect(process.args[0]).toBe("/usr/bin/imds-guard");
  });

  test("holds all that the program needs", () => {
    expect(run("--version")).toMatchObject({ stdout: `${PACKAGE_VERSION}\n`, stderr: "", status: 0 });
    expect(run("sigma", "list").status).toBe(0);
    expect(JSON.parse(run("detect", "--json").stdout)).toMatchObject({ verdict: "unknown" });
    const exec = run("exec", "--", "/usr/bin/imds-guard", "--version");
    expect(exec.stdout).toBe(`${PACKAGE_VERSION}\n`);
  });
});
