// @ts-check
/**
 * Makes the form for bundlers: nothing in it is loaded later.
 *
 * A bundle whose entry waits at its top level for what loads a chunk, which needs the entry, waits for ever (rollup).
 * So each `import("./x.js")` becomes an import of what that module exports, and `loadExtra(name, need, () =>
 * import("./x.js"))` is left without what it would load: such a part is there if the application imports
 * `imds-guard/extras`.
 */
import { readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, resolve } from "node:path";
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
      const imported = (/** @type {string} */ path, /** @type {readonly string[] | undefined} */ names) => {
        const own = `loaded${heads.length}`;
        const what = names ? `{ ${names.map((name) => `${name} as ${own}_${name}`).join(", ")} }` : `* as ${own}`;
        heads.push(`import ${what} from ${JSON.stringify(path)};\n`);
        return own;
      };
      visit(parseAst(code, { lang: "ts", sourceType: "module" }), (node) => {
        if (node.type === "CallExpression" && node.callee.name === "loadExtra") {
          const [, need] = node.arguments;
          changes.push({ start: need.end, end: node.end, text: ")" });
          return false;
        }
        // What is awaited and taken apart at once is named where it is used.
        const taken = takenFrom(node);
        if (taken !== undefined) {
          const own = imported(taken.path, taken.names);
          const members = taken.names.map((name) => `${name}: ${own}_${name}`).join(", ");
          const text = taken.alone ? `${own}_${taken.names[0]}` : `{ ${members} }`;
          changes.push({ start: taken.start, end: taken.end, text });
          return false;
        }
        if (node.type === "ImportExpression" && node.source.type === "Literal" && !isBuiltin(node.source.value)) {
          const path = node.source.value;
          const names = path.startsWith(".")
            ? exportsOf(resolve(dirname(id), path.replace(/\.js$/, ".ts")))
            : undefined;
          const own = imported(path, names);
          // An object of the names is smaller than that of the module, which has a getter for each. It inherits nothing,
          // or promises would look for a `then` there.
          const members = names?.map((name) => `${name}: ${own}_${name}`).join(", ");
          const text = `Promise.resolve(${names ? `{ __proto__: null, ${members} }` : own})`;
          changes.push({ start: node.start, end: node.end, text });
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
 * The names in `const { a, b } = await import("./x.js")` and `(await import("./x.js")).a`, and the part of the text that
 * loads them.
 *
 * @param {any} node
 * @returns {{ path: string, names: string[], start: number, end: number, alone: boolean } | undefined}
 */
function takenFrom(node) {
  const alone = node.type === "MemberExpression" && !node.computed;
  const all = node.type === "VariableDeclarator" && node.id.type === "ObjectPattern";
  if (!alone && !all) return undefined;
  let awaited = alone ? node.object : node.init;
  if (awaited?.type === "ParenthesizedExpression") awaited = awaited.expression;
  const loading = awaited?.type === "AwaitExpression" ? awaited.argument : undefined;
  if (loading?.type !== "ImportExpression" || !loading.source.value?.startsWith(".")) return undefined;
  const names = alone ? [node.property.name] : node.id.properties.map((/** @type {any} */ each) => each.key.name);
  const { start, end } = alone ? node : node.init;
  return { path: loading.source.value, names, start, end, alone };
}

/** What a module exports at run time, under names that stand in its declarations. @param {string} path */
function exportsOf(path) {
  /** @type {string[]} */
  const names = [];
  for (const { type, declaration, exportKind } of parseAst(readFileSync(path, "utf8"), { lang: "ts" }).body) {
    if (type !== "ExportNamedDeclaration" || exportKind === "type") continue;
    if (declaration === null) throw new Error(`${path} hands on names, which are not looked for`);
    const declared = declaration.type === "VariableDeclaration" ? declaration.declarations : [declaration];
    for (const { id } of declared) names.push(id.name);
  }
  return names;
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
