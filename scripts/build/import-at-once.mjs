// @ts-check
/**
 * Makes the form for bundlers: nothing in it is loaded later.
 *
 * A bundle whose entry waits at its top level for what loads a chunk, which needs the entry, waits for ever (rollup).
 * So each `import("x")` becomes an import of the module, and `loadExtra(name, need, () => import("./x.js"))` is
 * left without what it would load: such a part is there if the application imports `imds-guard/extras`.
 */
import { isBuiltin } from "node:module";
import { parseAst } from "rolldown/parseAst";

/** @returns {import("rolldown").Plugin} */
export function importAtOnce() {
  return {
    name: "import-at-once",
    transform(code, id) {
      if (!id.endsWith(".ts")) return undefined;
      /** @type {{ start: number, end: number, text: string }[]} */
      const changes = [];
      /** @type {string[]} */
      const heads = [];
      visit(parseAst(code, { lang: "ts", sourceType: "module" }), (node) => {
        if (node.type === "CallExpression" && node.callee.name === "loadExtra") {
          const [, , load] = node.arguments;
          changes.push({ start: load.start, end: load.end, text: "undefined" });
          return false;
        }
        if (node.type === "ImportExpression" && node.source.type === "Literal" && !isBuiltin(node.source.value)) {
          const name = `loaded${heads.length}`;
          heads.push(`import * as ${name} from ${JSON.stringify(node.source.value)};\n`);
          changes.push({ start: node.start, end: node.end, text: `Promise.resolve(${name})` });
        }
        return true;
      });
      if (changes.length === 0) return undefined;
      let text = code;
      for (const { start, end, text: other } of changes.toReversed())
        text = text.slice(0, start) + other + text.slice(end);
      return { code: heads.join("") + text, moduleType: "ts" };
    },
  };
}

/**
 * Calls `look` with each node in the order of the text, and not below one for which it returns false.
 *
 * @param {any} node @param {(node: any) => boolean} look
 */
function visit(node, look) {
  if (Array.isArray(node)) for (const each of node) visit(each, look);
  else if (typeof node === "object" && node !== null && (typeof node.type !== "string" || look(node)))
    for (const each of Object.values(node)) visit(each, look);
}
