// @ts-check
/**
 * Builds the single executable: Node.js, with the program and all that it needs inside.
 *
 *   node scripts/build-binary.mjs [--node PATH] [--output FOLDER]
 *
 * `--node` is the Node.js that goes into it, by default the one that runs this; it has to be of this system, because it
 * makes what V8 keeps of each file. The result is `dist-binary/imds-guard` (`.exe` on Windows).
 */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { inject } from "postject";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const { values } = parseArgs({
  options: { node: { type: "string" }, output: { type: "string", default: join(ROOT, "dist-binary") } },
});
const node = resolve(values.node ?? process.execPath);
const folder = resolve(values.output);
const target = join(folder, process.platform === "win32" ? "imds-guard.exe" : "imds-guard");
const work = mkdtempSync(join(tmpdir(), "imds-guard-build-"));

/** As src/cli/executable/start.ts runs a file, so that V8 takes what it has made of it. */
const MAKE_CACHE = `
  const { readFileSync, writeFileSync } = require("node:fs");
  const { basename } = require("node:path");
  const { Script } = require("node:vm");
  for (const path of process.argv.slice(1)) {
    const source = "(function (exports, require, module, __filename, __dirname) {" + readFileSync(path, "utf8") + "\\n})";
    writeFileSync(path + ".cache", new Script(source, { filename: "imds-guard/" + basename(path) }).createCachedData());
  }`;

try {
  run(process.execPath, join(ROOT, "scripts/build.mjs"), "--whole", work);
  const { files } = JSON.parse(readFileSync(join(work, "files.json"), "utf8"));
  const paths = files.map((/** @type {string} */ name) => join(work, name));
  run(node, "-e", MAKE_CACHE, ...paths);
  const named = files.flatMap((/** @type {string} */ name) => [name, `${name}.cache`]);
  const config = {
    main: join(work, "start.cjs"),
    output: join(work, "blob"),
    disableExperimentalSEAWarning: true,
    useCodeCache: true,
    assets: Object.fromEntries(["files.json", ...named].map((name) => [name, join(work, name)])),
  };
  writeFileSync(join(work, "sea.json"), JSON.stringify(config));
  run(node, "--experimental-sea-config", join(work, "sea.json"));

  mkdirSync(folder, { recursive: true });
  rmSync(target, { force: true });
  copyFileSync(node, target);
  chmodSync(target, 0o755);
  if (process.platform === "darwin") run("codesign", "--remove-signature", target);
  if (process.platform === "linux") stripped(target);
  await inject(target, "NODE_SEA_BLOB", readFileSync(config.output), {
    sentinelFuse: "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2",
    ...(process.platform === "darwin" && { machoSegmentName: "NODE_SEA" }),
  });
  if (process.platform === "darwin") run("codesign", "--sign", "-", target);
  copyFileSync(join(work, "NOTICE"), join(folder, "NOTICE"));
  const version = run(target, "--version").trim();
  const megabytes = (statSync(target).size / 1e6).toFixed(1);
  process.stdout.write(`${target}: imds-guard ${version} with ${run(node, "--version").trim()}, ${megabytes} MB\n`);
} finally {
  rmSync(work, { recursive: true, force: true });
}

/** @param {string} program @param {string[]} args */
function run(program, ...args) {
  return execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"], env: withoutOptions() });
}

/** What the caller wants of Node.js is no matter of what is built. */
function withoutOptions() {
  const { NODE_OPTIONS: _, ...env } = process.env;
  return { ...env, IMDS_GUARD_PROBE: "off" };
}

/** Takes out the names of what is inside of Node.js; what native modules need stays. @param {string} path */
function stripped(path) {
  try {
    execFileSync("strip", ["--strip-unneeded", "--remove-section=.comment", path], { stdio: "ignore" });
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== "ENOENT") throw error;
    process.stderr.write("no strip here: the executable is some megabytes larger than it has to be\n");
  }
}
