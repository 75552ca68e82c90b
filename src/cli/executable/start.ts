/**
 * What a single executable runs first: hands out the files that are in it. They stay apart, so that a command loads what
 * it needs and no more, and each brings what V8 has made of it.
 */
import { builtinModules } from "node:module";
import { dirname, join } from "node:path";
import { getAsset, getRawAsset } from "node:sea";
import { Script } from "node:vm";
import { KEEP_PORT, keepPort } from "../../serving/port-keeper.js";

/** A folder that no file system has, because the executable is a file. */
const FOLDER = process.execPath;
const builtins = new Set(builtinModules);
const files = new Set((JSON.parse(getAsset("files.json", "utf8")) as { readonly files: readonly string[] }).files);
const modules = new Map<string, NodeJS.Module>();

const WRAPPER = ["(function (exports, require, module, __filename, __dirname) {", "\n})"] as const;

type Wrapped = (
  exports: unknown,
  require: (id: string) => unknown,
  module: { exports: unknown },
  filename: string,
  folder: string,
) => void;

function load(name: string): unknown {
  const loaded = modules.get(name);
  if (loaded !== undefined) return loaded.exports;
  const path = join(FOLDER, name);
  const module = { exports: {} } as NodeJS.Module;
  modules.set(name, module);
  const script = new Script(WRAPPER[0] + getAsset(name, "utf8") + WRAPPER[1], {
    filename: path,
    cachedData: new Uint8Array(getRawAsset(`${name}.cache`) as ArrayBuffer),
  });
  (script.runInThisContext() as Wrapped)(module.exports, requireFile, module, path, dirname(path));
  return module.exports;
}

/** What the files of the executable ask for: each other, and Node.js; nothing that lies where it runs. */
function requireFile(id: string): unknown {
  const name = id.startsWith("./") ? id.slice(2) : id;
  if (files.has(name)) return load(name);
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- all that a single executable has to load with
  if (id.startsWith("node:") || builtins.has(id)) return require(id);
  throw Object.assign(new Error(`${id} is not in this executable`), { code: "MODULE_NOT_FOUND" });
}

/** A file of the executable, where this process was started as Node.js is with a file: `imds-guard /that/path ...`. */
const named = [...files].find((name) => process.argv[2] === join(FOLDER, name));

if (named !== undefined) {
  process.argv.splice(1, 1);
  load(named);
} else if (process.argv[2] === KEEP_PORT && process.argv.length === 3) keepPort(require);
else load("cli.cjs");
