// @ts-check
/** Package managers, each with a layout of its own: linked, hoisted, or no `node_modules` at all. */
import { join } from "node:path";
import { judgeDoors } from "./judge.mjs";
import { TOOLS } from "./installs.mjs";

/** @typedef {import("./table.mjs").Row} Row */

const DOORS = ["chain", "instance", "ini", "s3", "ssrf"];

/** @type {Readonly<Record<import("./installs.mjs").Manager, string>>} */
const NAMES = {
  npm: "npm",
  pnpm: `pnpm ${TOOLS["pnpm"]}`,
  yarn: `Yarn classic ${TOOLS["yarn"]}`,
  pnp: `Yarn ${TOOLS["@yarnpkg/cli-dist"]}, Plug'n'Play`,
};

/** @param {(name: string) => Promise<string>} newest @returns {Promise<Row[]>} */
export async function managerRows(newest) {
  const dependencies = {
    "@aws-sdk/client-s3": await newest("@aws-sdk/client-s3"),
    "@aws-sdk/credential-providers": await newest("@aws-sdk/credential-providers"),
  };
  return Object.entries(NAMES).flatMap(([key, name]) => {
    const manager = /** @type {import("./installs.mjs").Manager} */ (key);
    const row = {
      group: "Package managers",
      name,
      quick: false,
      wants: { name: `manager-${manager}`, manager, dependencies },
      judge: judgeDoors,
    };
    // Plug'n'Play is a preload of its own, and ours is found through it by name.
    const before = (/** @type {string} */ folder) => (manager === "pnp" ? ["-r", join(folder, ".pnp.cjs")] : []);
    const asModule = (/** @type {string} */ folder) =>
      manager === "pnp" ? ["--experimental-loader", join(folder, ".pnp.loader.mjs")] : [];
    const start =
      (/** @type {string} */ program, /** @type {readonly string[]} */ own, /** @type {readonly string[]} */ args) =>
      (/** @type {string} */ folder) => ({
        program: join(folder, program),
        options: {
          cwd: folder,
          execArgv: [...before(folder), ...(program.endsWith("mjs") ? asModule(folder) : []), ...own],
          args,
        },
      });
    const preload = ["-r", "imds-guard/register"];
    return [
      {
        ...row,
        form: "-r, required",
        quick: true,
        start: start("doors.cjs", preload, DOORS),
        stock: start("doors.cjs", [], DOORS),
      },
      { ...row, form: "-r, imported", start: start("doors.mjs", preload, DOORS), stock: start("doors.mjs", [], DOORS) },
      { ...row, form: "--import", start: start("doors.mjs", ["--import", "imds-guard/register"], DOORS) },
      { ...row, form: "import", start: start("imported.mjs", [], []) },
      { ...row, form: "require", start: start("imported.cjs", [], []) },
    ].map((each) => ({ ...each, quick: each.quick && manager === "pnpm" }));
  });
}
