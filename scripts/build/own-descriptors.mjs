// @ts-check
/**
 * Keeps the build working where data put a property on `Object.prototype` (prototype pollution). What rolldown writes
 * around modules looks at what all objects inherit: it lists names with `for...in`, and its property descriptors are
 * plain objects, for which a property `get`, `set`, `value` or `writable` up there is one of theirs. So do modules of
 * Node.js and of the SDK when they are loaded, and ours load many of them when they are first needed.
 */
import ts from "typescript";

/** How the names of a module become properties, written out and minified. */
const NAMES = /Object\.setPrototypeOf\(\{\}, ?null\);\s*for ?\(var [\s\S]{1,300}?Object\.preventExtensions/;

/** A descriptor that inherits, and a loop over what is inherited. */
const LEFT = /\b(?:defineProperty|__defProp)\([^{}()]*, ?\{(?!\s*__proto__)|\bfor ?\((?:var|let|const) [\w$]+ in /;

/**
 * Throws where something is left in a file that holds nothing but code of this package, because a newer rolldown may
 * write it in another way.
 *
 * @param {string} [host] The file that has `loadPlainly`, where files are loaded with `require`. @returns
 * {import("rolldown").Plugin}
 */
export function ownDescriptors(host) {
  return {
    name: "own-descriptors",
    generateBundle(_, bundle) {
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== "chunk") continue;
        const own = owned(chunk.code);
        chunk.code = host === undefined ? own : loadedPlainly(own, chunk.fileName, host);
        const theirs = chunk.moduleIds.some((id) => id.includes("/node_modules/"));
        const left = theirs ? null : LEFT.exec(chunk.code);
        if (left !== null) throw new Error(`${chunk.fileName} is not safe from what objects inherit: ${left[0]}`);
      }
    },
  };
}

/** @param {string} code */
function owned(code) {
  return code
    .replace(NAMES, (text) =>
      text
        .replace(/\bfor ?\(var ([\w$]+) in ([\w$]+)\)/, "for (var $1 of Object.keys($2))")
        .replaceAll(/\{(?=\s*(?:get|value):)/g, "{ __proto__: null,"),
    )
    .replaceAll(
      /\b(?:defineProperty\(exports|__defProp\([\w$]+), [^{}()]*, \{(?!\s*__proto__)/g,
      "$& __proto__: null,",
    );
}

/** @param {string} code @param {string} fileName @param {string} host */
function loadedPlainly(code, fileName, host) {
  const strict = '"use strict";\n';
  const own = fileName === host;
  if (own && !code.includes("function loadPlainly(")) throw new Error(`${host} has no loadPlainly`);
  let others = code;
  // What the host loads at once is there before it; what it loads later comes by it.
  for (const { from, to, path, later } of requiresOf(code).toReversed())
    if (path !== `./${host}` && (later || !own))
      others = `${others.slice(0, from)}loadPlainly(() => ${others.slice(from, to)})${others.slice(to)}`;
  return own || others === code
    ? others
    : others.replace(strict, `${strict}const { loadPlainly } = require("./${host}");\n`);
}

/**
 * The calls of `require` with a name, in their order. By the syntax tree: a program that is kept as text in a string has
 * such calls, too, and runs where there is no `loadPlainly`.
 *
 * @param {string} code
 */
function requiresOf(code) {
  /** @type {{ readonly from: number, readonly to: number, readonly path: string, readonly later: boolean }[]} */
  const found = [];
  const source = ts.createSourceFile("chunk.js", code, ts.ScriptTarget.ES2023, false, ts.ScriptKind.JS);
  const visit = (/** @type {ts.Node} */ node, /** @type {boolean} */ later) => {
    if (ts.isCallExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === "require") {
      const [argument] = node.arguments;
      if (argument !== undefined && ts.isStringLiteral(argument))
        found.push({ from: node.getStart(source), to: node.end, path: argument.text, later });
    }
    ts.forEachChild(node, (child) => visit(child, later || ts.isFunctionLike(node)));
  };
  visit(source, false);
  return found;
}
