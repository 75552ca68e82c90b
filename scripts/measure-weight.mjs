// @ts-check
/**
 * Measures what an installation brings: packages, files and megabytes in node_modules, for the stock credential
 * providers alone, for this package (which depends on them), and for both in an application with a client of S3.
 *
 *   npm run build && npm run --silent measure:weight            a table for docs/performance.md
 *   npm run --silent measure:weight -- --json                   the same as JSON
 *
 * Asks the package registry, installs into a temporary folder without running anything, and leaves nothing behind.
 * The stock packages are those that this package's own lock file has, so that both rows have the same ones.
 */
import { execFileSync } from "node:child_process";
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const PROVIDERS = "@aws-sdk/credential-providers";
const CLIENT = "@aws-sdk/client-s3";

const { values } = parseArgs({ options: { json: { type: "boolean", default: false } } });
const { packages } = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));
const locked = (/** @type {string} */ name) => `${name}@${packages[`node_modules/${name}`].version}`;

/** @param {readonly string[]} args @param {string} cwd */
const npm = (args, cwd) =>
  execFileSync("npm", args, {
    cwd,
    encoding: "utf8",
    shell: process.platform === "win32",
    stdio: ["ignore", "pipe", "inherit"],
  });

/**
 * Every regular file below a folder, with its bytes. @param {string} folder @returns {{ path: string, bytes: number
 * }[]}
 */
function filesIn(folder) {
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).flatMap((path) => {
    const stats = lstatSync(join(folder, path));
    return stats.isFile() ? [{ path, bytes: stats.size }] : [];
  });
}

/** @param {string} what @param {readonly string[]} specifiers @param {string} parent */
function measure(what, specifiers, parent) {
  const folder = mkdtempSync(join(parent, "app-"));
  writeFileSync(join(folder, "package.json"), '{ "private": true }');
  npm(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", ...specifiers], folder);
  const lock = JSON.parse(readFileSync(join(folder, "package-lock.json"), "utf8"));
  const files = filesIn(join(folder, "node_modules")).filter(({ path }) => path !== ".package-lock.json");
  return {
    what,
    packages: Object.keys(lock.packages).filter((path) => path !== "").length,
    files: files.length,
    bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

const parent = mkdtempSync(join(tmpdir(), "imds-guard-weight-"));
try {
  const [{ filename }] = JSON.parse(
    npm(["pack", "--json", "--ignore-scripts", "--loglevel=error", "--pack-destination", parent], ROOT),
  );
  const ours = join(parent, filename);
  const rows = [
    measure(`${PROVIDERS} alone`, [locked(PROVIDERS)], parent),
    measure("imds-guard, with it", [ours, locked(PROVIDERS)], parent),
    measure(`${CLIENT} and ${PROVIDERS}`, [locked(CLIENT), locked(PROVIDERS)], parent),
    measure(`${CLIENT} and imds-guard`, [locked(CLIENT), ours], parent),
  ];
  if (values.json)
    process.stdout.write(
      `${JSON.stringify({ date: new Date().toISOString().slice(0, 10), node: process.version, rows }, undefined, 2)}\n`,
    );
  else {
    const lines = rows.map(
      ({ what, packages: count, files, bytes }) =>
        `| ${what} | ${count} | ${files.toLocaleString("en-US")} | ${(bytes / 1e6).toFixed(1)} |`,
    );
    process.stdout.write(`| installed | packages | files | MB |\n|---|---|---|---|\n${lines.join("\n")}\n`);
  }
} finally {
  rmSync(parent, { recursive: true, force: true });
}
