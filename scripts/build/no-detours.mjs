// @ts-check
/**
 * Leaves out an entry that only hands on the names of another file, and has that file required in its place: a file
 * costs a start more than what is in it.
 */

const HANDED_ON = /^exports\.([\w$]+) = ([\w$]+)\.([\w$]+);$/;
const HEAD = /^(?:"use strict";|Object\.defineProperty\(exports, Symbol\.toStringTag, .*|require\(".*"\);)$/;
const FROM = /^const ([\w$]+) = require\("\.\/(.*)"\);$/;

/** @param {readonly string[]} fileNames @returns {import("rolldown").Plugin} */
export function noDetours(...fileNames) {
  return {
    name: "no-detours",
    generateBundle(_, bundle) {
      for (const fileName of fileNames) {
        const entry = bundle[fileName];
        if (entry?.type !== "chunk") throw new Error(`there is no ${fileName}`);
        const lines = entry.code
          .trim()
          .split("\n")
          .filter((line) => !HEAD.test(line));
        const [, local, target = ""] = FROM.exec(lines.shift() ?? "") ?? [];
        const same = lines.every((line) => {
          const [, name, from, other] = HANDED_ON.exec(line) ?? [];
          return from !== undefined && from === local && name === other;
        });
        const home = bundle[target];
        // What it requires besides is there with the other file.
        const all = home?.type === "chunk" && entry.imports.every((path) => [target, ...home.imports].includes(path));
        if (!same || !all) throw new Error(`${fileName} does more than hand on the names of one file: ${entry.code}`);
        for (const chunk of Object.values(bundle))
          if (chunk.type === "chunk")
            chunk.code = chunk.code.replaceAll(`require("./${fileName}")`, `require("./${target}")`);
        delete bundle[fileName];
      }
    },
  };
}
