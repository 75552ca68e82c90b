// @ts-check
import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";

/**
 * Lets `x.FORM.ts` stand in for `x.ts`, to everything but itself.
 *
 * @param {"bundled" | "node"} form @returns {import("rolldown").Plugin}
 */
export function standIns(form) {
  return {
    name: "stand-ins",
    /** @param {string} path @param {string | undefined} importer @param {{ kind: string }} how */
    resolveId(path, importer, { kind }) {
      if (importer === undefined || !/^\..*\.js$/.test(path) || kind === "require-call") return undefined;
      const other = resolve(dirname(importer), path.replace(/\.js$/, `.${form}.ts`));
      return existsSync(other) && other !== importer ? other : undefined;
    },
  };
}
