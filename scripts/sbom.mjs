// @ts-check
/**
 * Prints the bill of materials (CycloneDX, JSON) of what a user installs, as the lock file has it.
 *
 *   npm run --silent sbom > imds-guard.cdx.json
 *
 * `npm sbom --omit dev` in this folder would leave out every package that something for development needs as well, and
 * those are most of them. So npm is shown a project without anything for development, in a folder with the package's
 * name, which it takes for the name of the component. Asks no registry.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** @param {string} name */
const read = (name) => JSON.parse(readFileSync(new URL(`../${name}`, import.meta.url), "utf8"));

/** @param {Record<string, unknown>} manifest @param {...string} keys */
const without = (manifest, ...keys) =>
  Object.fromEntries(Object.entries(manifest).filter(([key]) => !keys.includes(key)));

const manifest = without(read("package.json"), "devDependencies", "scripts", "overrides");
const lock = read("package-lock.json");
const root = without(lock.packages[""], "devDependencies");
const installed = Object.entries(lock.packages).filter(([path, { dev }]) => path !== "" && dev !== true);

const parent = mkdtempSync(join(tmpdir(), "imds-guard-sbom-"));
try {
  const folder = join(parent, String(manifest["name"]));
  mkdirSync(folder);
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
  writeFileSync(
    join(folder, "package-lock.json"),
    JSON.stringify({ ...lock, packages: { "": root, ...Object.fromEntries(installed) } }),
  );
  const args = ["sbom", "--sbom-format=cyclonedx", "--sbom-type=library", "--package-lock-only", "--loglevel=error"];
  const text = execFileSync("npm", args, {
    cwd: folder,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
    shell: process.platform === "win32",
    stdio: ["ignore", "pipe", "inherit"],
  });
  const listed = JSON.parse(text).components.length;
  if (listed !== installed.length)
    throw new Error(`npm lists ${listed} packages, and the lock file ${installed.length}`);
  process.stdout.write(text);
} finally {
  rmSync(parent, { recursive: true, force: true });
}
