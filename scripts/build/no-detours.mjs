// @ts-check
/**
 * Leaves out an entry that only hands on the names of another file, and has that file required in its place: a file
 * costs a start more than what is in it.
 */

const HANDED_ON = /^exports\.([\w$]+) = [\w$]+\.([\w$]+);$/;
const HEAD =
  /^(?:"use strict";|Object\.defineProperty\(exports, Symbol\.toStringTag, .*|const [\w$]+ = require\(".*"\);)$/;

/** @param {readonly string[]} fileNames @returns {import("rolldown").Plugin} */
export function noDetours(...fileNames) {
  return {
    name: "no-detours",
    generateBundle(_, bundle) {
      for (const fileName of fileNames) {
        const entry = bundle[fileName];
        if (entry?.type !== "chunk") throw new Error(`there is no ${fileName}`);
        const [target, ...others] = entry.imports;
        const lines = entry.code
          .trim()
          .split("\n")
          .filter((line) => !HEAD.test(line));
        const same = lines.every((line) => {
          const [, name, from] = HANDED_ON.exec(line) ?? [];
          return name !== undefined && name === from;
        });
        if (target === undefined || others.length > 0 || !same)
          throw new Error(`${fileName} does more than hand on the names of one file: ${entry.code}`);
        for (const chunk of Object.values(bundle))
          if (chunk.type === "chunk")
            chunk.code = chunk.code.replaceAll(`require("./${fileName}")`, `require("./${target}")`);
        delete bundle[fileName];
      }
    },
  };
}
