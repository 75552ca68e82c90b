// @ts-check
/**
 * Hands a file's names to the other files as one object. What rolldown writes, a property with a getter for each name,
 * is compiled and run at every start, and the getters are called at every use; only a name that changes needs one, and
 * files that wait for each other.
 */
import ts from "typescript";

const NAME =
  /Object\.defineProperty\(exports, (["'])([\w$]+)\1, \{\s*enumerable: true,\s*get: function ?\(\) \{\s*return ([\w$]+);\s*\}\s*\}\);\n?/g;

/** A file's name for its own object of names. */
const SELF = /^(?:const|var|let) ([\w$]+) = exports;\n/m;

/** @returns {import("rolldown").Plugin} */
export function plainExports() {
  return {
    name: "plain-exports",
    generateBundle(_, bundle) {
      /** @type {Map<string, readonly string[]>} */
      const loads = new Map();
      for (const chunk of Object.values(bundle)) if (chunk.type === "chunk") loads.set(chunk.fileName, chunk.imports);
      for (const chunk of Object.values(bundle)) {
        // What programs load keeps the form that readers of CommonJS know.
        if (chunk.type !== "chunk" || chunk.isEntry || reaches(chunk.fileName, chunk.fileName, loads)) continue;
        /** @type {[string, string][]} */
        const names = [];
        const code = chunk.code.replace(
          NAME,
          (_text, _quote, /** @type {string} */ name, /** @type {string} */ local) => {
            names.push([name, local]);
            return "";
          },
        );
        if (names.length === 0) continue;
        const locals = new Map(names);
        // The file that holds rolldown's helpers asks itself for them by its object of names, which is another one now.
        const self = SELF.exec(code)?.[1];
        const own =
          self === undefined
            ? code
            : code
                .replace(SELF, "")
                .replace(
                  new RegExp(`(?<![\\w$.])${self.replaceAll("$", "\\$")}\\.([\\w$]+)`, "g"),
                  (_text, /** @type {string} */ name) => locals.get(name) ?? name,
                );
        const changed = assigned(own);
        const members = names.map(([name, local]) =>
          changed.has(local) ? `get ${name}() { return ${local}; }` : name === local ? name : `${name}: ${local}`,
        );
        chunk.code = `${own.trimEnd()}\nmodule.exports = { ${members.join(", ")} };\n`;
      }
    },
  };
}

/** Names that are given a value after they were declared. @param {string} code */
function assigned(code) {
  const names = new Set();
  const visit = (/** @type {ts.Node} */ node) => {
    if (
      ts.isBinaryExpression(node) &&
      node.operatorToken.kind >= ts.SyntaxKind.FirstAssignment &&
      node.operatorToken.kind <= ts.SyntaxKind.LastAssignment &&
      ts.isIdentifier(node.left)
    )
      names.add(node.left.text);
    if ((ts.isPrefixUnaryExpression(node) || ts.isPostfixUnaryExpression(node)) && ts.isIdentifier(node.operand))
      names.add(node.operand.text);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile("chunk.js", code, ts.ScriptTarget.ES2023, false, ts.ScriptKind.JS));
  return names;
}

/** @param {string} from @param {string} to @param {ReadonlyMap<string, readonly string[]>} loads */
function reaches(from, to, loads) {
  const found = new Set();
  const waiting = [...(loads.get(from) ?? [])];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (name === to) return true;
    if (found.has(name)) continue;
    found.add(name);
    waiting.push(...(loads.get(name) ?? []));
  }
  return false;
}
