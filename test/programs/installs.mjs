// @ts-check
/**
 * Applications from the package registry in folders of their own, outside the repository and kept between runs: made
 * once by the package manager with this package among their dependencies, and brought up to this build each time.
 */
import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/**
 * @typedef {"npm" | "pnpm" | "yarn" | "pnp"} Manager `yarn`: the first major version; `pnp`: the current one with its
 * Plug'n'Play, which makes no `node_modules`
 *
 * @typedef {object} Wanted
 * @property {string} name of the folder
 * @property {Manager} [manager] default npm
 * @property {Readonly<Record<string, string>>} [dependencies] exact versions
 * @property {Readonly<Record<string, string>>} [overrides] package -> version; `ALIAS` for the stand-in of this
 * repository
 * @property {boolean} [guarded] whether this package is installed, too; default true
 * @property {boolean} [scripts] whether the packages' install scripts run; default false
 */

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const APPS = fileURLToPath(new URL("./apps/", import.meta.url));
/** As a version in `overrides`: the stand-in for the SDK's package, from this repository. */
export const ALIAS = "alias";
const GUARD = "imds-guard";
const STAND_IN = "imds-guard-credential-provider-imds";
const INSTALL_MS = 600_000;
const run = promisify(execFile);

/** The registry, or something on the way to it, cannot be reached: no verdict on this package. */
export class NotReached extends Error {}

/** Words of package managers for it; anything else is an error of the application. */
const UNREACHED = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ERR_SOCKET_TIMEOUT|EHOSTUNREACH|network/i;

/** Where installs are kept: `IMDS_GUARD_PROGRAMS_CACHE`, else a folder of this user among the temporary ones. */
export function cacheFolder() {
  const named = process.env["IMDS_GUARD_PROGRAMS_CACHE"];
  const folder = named ?? join(tmpdir(), `imds-guard-programs-${process.getuid?.() ?? 0}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return folder;
}

/** Packs this build, and returns what makes applications that have it. */
export function createInstalls() {
  const cache = cacheFolder();
  const packed = mkdtempSync(join(tmpdir(), "imds-guard-packed-"));
  process.once("exit", () => rmSync(packed, { recursive: true, force: true }));
  const guard = pack(".", packed);
  const alias = pack("./scripts/alias", packed);
  const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  /** @type {Map<string, Promise<string>>} */
  const made = new Map();

  /** @param {Wanted} wanted @returns {Promise<string>} the application's folder */
  function install(wanted) {
    const key = createHash("sha256")
      .update(JSON.stringify([wanted, wanted.guarded === false ? 0 : [dependencies, peerDependencies]]))
      .digest("hex")
      .slice(0, 12);
    const folder = join(cache, `${wanted.name.replace(/[^\w.-]+/g, "-")}-${key}`);
    let known = made.get(folder);
    if (known === undefined) made.set(folder, (known = make(folder, wanted)));
    return known;
  }

  /** @param {string} folder @param {Wanted} wanted */
  async function make(folder, wanted) {
    const { manager = "npm", guarded = true } = wanted;
    const done = join(folder, ".installed");
    // A zip of the package manager's own is no place to put files in.
    if (!existsSync(done) || (manager === "pnp" && guarded)) {
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder, { recursive: true });
      await byManager(folder, wanted);
      writeFileSync(done, "");
    }
    if (manager !== "pnp") {
      if (guarded) await unpack(guard, join(folder, "node_modules", GUARD));
      if (wanted.overrides !== undefined)
        for (const place of [STAND_IN, ...standIns(folder)]) await unpack(alias, join(folder, "node_modules", place));
    }
    copyApps(APPS, folder);
    return folder;
  }

  /** @param {string} folder @param {Wanted} wanted */
  async function byManager(folder, { manager = "npm", dependencies: own = {}, overrides, guarded = true, scripts }) {
    const tarball = (/** @type {string} */ path) => {
      const name = `${createHash("sha256").update(readFileSync(path)).digest("hex").slice(0, 12)}.tgz`;
      copyFileSync(path, join(folder, name));
      return `file:./${name}`;
    };
    const standIn = overrides === undefined ? undefined : tarball(alias);
    const replaced = Object.fromEntries(
      Object.entries(overrides ?? {}).map(([name, version]) => [name, version === ALIAS ? standIn : version]),
    );
    const manifest = {
      name: "app",
      version: "1.0.0",
      private: true,
      dependencies: {
        ...own,
        ...(guarded && { [GUARD]: tarball(guard) }),
        ...(standIn !== undefined && { [STAND_IN]: standIn }),
      },
      ...(overrides !== undefined && OVERRIDES[manager](replaced)),
    };
    writeFileSync(join(folder, "package.json"), JSON.stringify(manifest, undefined, 2));
    const ignore = scripts === true ? [] : ["--ignore-scripts"];
    switch (manager) {
      case "npm":
        return command("npm", ["install", "--silent", "--no-audit", "--no-fund", ...ignore], folder);
      case "pnpm":
        return command(
          process.execPath,
          [await tool("pnpm", "bin/pnpm.mjs", "bin/pnpm.cjs"), "install", "--reporter=silent", ...ignore],
          folder,
        );
      case "yarn":
        return command(
          process.execPath,
          [await tool("yarn", "bin/yarn.js"), "install", "--silent", "--no-lockfile", "--non-interactive", ...ignore],
          folder,
        );
      case "pnp": {
        const settings = [
          "nodeLinker: pnp",
          "enableTelemetry: false",
          "enableImmutableInstalls: false",
          `globalFolder: ${JSON.stringify(join(cache, "yarn"))}`,
          `enableScripts: ${scripts === true}`,
        ];
        writeFileSync(join(folder, ".yarnrc.yml"), `${settings.join("\n")}\n`);
        // Without a lockfile of its own it would look for a project further up.
        writeFileSync(join(folder, "yarn.lock"), "");
        return command(process.execPath, [await tool("@yarnpkg/cli-dist", "bin/yarn.js"), "install"], folder);
      }
    }
  }

  /** The program file of a package manager that is itself installed here. @param {string} name @param {...string} files */
  async function tool(name, ...files) {
    const version = TOOLS[name] ?? "latest";
    const folder = await install({ name: `tool-${name}`, dependencies: { [name]: version }, guarded: false });
    const found = files.map((file) => join(folder, "node_modules", name, file)).find((path) => existsSync(path));
    if (found === undefined) throw new Error(`${name} has none of ${files.join(", ")}`);
    return found;
  }

  const build = createHash("sha256").update(readFileSync(guard)).update(readFileSync(alias)).digest("hex");
  return { install, build };
}

/** Of package managers, so that a new one is a change that somebody sees. @type {Readonly<Record<string, string>>} */
export const TOOLS = { pnpm: "10.24.0", yarn: "1.22.22", "@yarnpkg/cli-dist": "4.12.0" };

/** @type {Readonly<Record<Manager, (replaced: object) => object>>} */
const OVERRIDES = {
  npm: (overrides) => ({ overrides }),
  pnpm: (overrides) => ({ pnpm: { overrides } }),
  yarn: (resolutions) => ({ resolutions }),
  pnp: (resolutions) => ({ resolutions }),
};

/** @param {string} path @param {string} to @returns {string} the tarball */
function pack(path, to) {
  const [{ filename }] = JSON.parse(
    execFileSync("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", to, path], {
      cwd: ROOT,
      encoding: "utf8",
    }),
  );
  return join(to, filename);
}

/** Puts the files of this build in place of those of an earlier one. @param {string} tarball @param {string} installed */
async function unpack(tarball, installed) {
  if (!existsSync(installed)) return;
  const folder = realpathSync(installed);
  // Package managers may have linked the files from a store that other folders use.
  for (const name of readdirSync(folder).filter((entry) => entry !== "node_modules"))
    rmSync(join(folder, name), { recursive: true });
  await run("tar", ["-xzf", tarball, "-C", folder, "--strip-components=1"]);
}

/** Every place under node_modules that the stand-in has taken. @param {string} folder */
function standIns(folder) {
  return readdirSync(join(folder, "node_modules"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith("credential-provider-imds/package.json"))
    .filter((path) => JSON.parse(readFileSync(join(folder, "node_modules", path), "utf8")).name === STAND_IN)
    .map((path) => path.slice(0, -"/package.json".length));
}

/** @param {string} from @param {string} to */
function copyApps(from, to) {
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    if (entry.isDirectory()) {
      mkdirSync(join(to, entry.name), { recursive: true });
      copyApps(join(from, entry.name), join(to, entry.name));
    } else copyFileSync(join(from, entry.name), join(to, entry.name));
  }
}

/**
 * @param {string} file @param {readonly string[]} args @param {string} cwd
 * @param {NodeJS.ProcessEnv} [env] beside this process's
 * @returns {Promise<{ stdout: string, stderr: string }>}
 * @throws NotReached
 */
export async function command(file, args, cwd, env = {}) {
  try {
    return await run(file, [...args], {
      cwd,
      env: { ...process.env, NODE_OPTIONS: "", NO_COLOR: "1", FORCE_COLOR: undefined, ...env },
      timeout: INSTALL_MS,
      maxBuffer: 64 * 1024 * 1024,
    });
  } catch (error) {
    const {
      stdout = "",
      stderr = "",
      message,
    } = /** @type {{ stdout?: string, stderr?: string, message: string }} */ (error);
    const said = `${stderr}\n${stdout}`.trim();
    if (UNREACHED.test(said)) throw new NotReached(lastLines(said), { cause: error });
    throw new Error(`${file} ${args.join(" ")}: ${lastLines(said) || message}`, { cause: error });
  }
}

/** @param {string} text */
function lastLines(text) {
  return text.split("\n").slice(-15).join("\n").slice(-1_500);
}
