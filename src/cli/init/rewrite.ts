/**
 * What has to change in one source file so that its AWS clients get their credentials, region and defaults mode from the
 * guard: a pure function from text to text. What cannot be changed without knowing more is told, with its line.
 */
import type { ParserPlugin } from "@babel/parser";
import { parse } from "@babel/parser";

/** Lines of a file, before and after. */
export interface Change {
  /** From 1. */
  readonly line: number;
  readonly before: string;
  readonly after: string;
}

/** Something for a person to decide. */
export interface ByHand {
  /** From 1. */
  readonly line: number;
  readonly says: string;
}

/** What became of a file. */
export interface Rewritten {
  /** The text with all changes; as it was where there are none. */
  readonly text: string;
  readonly changes: readonly Change[];
  readonly byHand: readonly ByHand[];
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly loc: { readonly start: { readonly line: number }; readonly end: { readonly line: number } };
  readonly [key: string]: unknown;
}

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Names of `@aws-sdk/credential-providers` and its parts that this package has as well. */
const PROVIDERS = new Set(["fromNodeProviderChain", "fromInstanceMetadata", "fromIni", "fromTemporaryCredentials"]);
/** Providers of the SDK that can end at IMDS, and have no namesake here. */
const ENDS_AT_IMDS = new Set(["fromContainerMetadata", "fromHttp", "defaultProvider", "getInstanceMetadataEndpoint"]);
const PROVIDER_PACKAGES = new Set([
  "@aws-sdk/credential-providers",
  "@aws-sdk/credential-provider-imds",
  "@aws-sdk/credential-provider-ini",
  "@aws-sdk/credential-provider-node",
  "@smithy/credential-provider-imds",
]);
const MOCKS = /^(?:mock|doMock|unstable_mockModule)$/;
const CLIENT_PACKAGE = /^@aws-sdk\/client-[\w-]+$/;
const PACKAGE = "imds-guard";
/** Exports of a client's package that are no clients, though they are made with `new`. */
const NO_CLIENT = /(?:Command|Exception|Error|Waiter|\$)$|^[a-z_]/;

/** Whether a file can hold anything for {@link rewrite}; far cheaper than to parse it. */
export const mentionsSdk = (text: string): boolean => /@aws-sdk\/|@smithy\/credential-provider|["']aws-sdk/.test(text);

/**
 * Rewrites one file.
 *
 * @param name decides by its extension how it is read
 * @throws SyntaxError where it cannot be parsed
 */
export function rewrite(name: string, text: string): Rewritten {
  const file = parse(text, {
    sourceType: "unambiguous",
    allowReturnOutsideFunction: true,
    allowAwaitOutsideFunction: true,
    plugins: pluginsFor(name),
  }) as unknown as { readonly program: Node };
  const edits: Edit[] = [];
  const byHand: ByHand[] = [];
  const seen = look(name, file.program, text, edits, byHand);
  if (seen.firstUse !== undefined) edits.push(guardOf(file.program, text, seen, seen.firstUse));
  const changed = apply(text, edits);
  return { text: changed.text, changes: changed.changes, byHand: byHand.sort((a, b) => a.line - b.line) };
}

function pluginsFor(name: string): ParserPlugin[] {
  if (/\.[cm]?ts$/.test(name)) return ["typescript", "decorators-legacy"];
  if (name.endsWith(".tsx")) return ["typescript", "jsx", "decorators-legacy"];
  return ["jsx", "flow", "decorators-legacy"];
}

interface Seen {
  /** Where the first client is that needs the guard. */
  firstUse: number | undefined;
  /** Name of the guard in this file. */
  readonly guard: string;
  /** Statements that load something, in their order. */
  readonly loading: readonly Node[];
  readonly quote: string;
  readonly semicolon: string;
  readonly module: boolean;
}

function look(name: string, program: Node, text: string, edits: Edit[], byHand: ByHand[]): Seen {
  const statements = program["body"] as readonly Node[];
  const loading = statements.filter(
    (statement) => /^(?:TS)?Import(?:Equals)?Declaration$/.test(statement.type) || loads(statement),
  );
  const anchor = loading.findLast((statement) => statement.type === "ImportDeclaration") ?? loading.at(-1);
  const example = anchor === undefined ? "" : text.slice(anchor.start, anchor.end);
  const seen: Seen = {
    firstUse: undefined,
    guard: /\bguard\b/.test(text) ? "imdsGuard" : "guard",
    loading,
    quote: /["']/.exec(example)?.[0] ?? '"',
    semicolon: example === "" || example.endsWith(";") ? ";" : "",
    module:
      /\.m[jt]s$/.test(name) ||
      statements.some(({ type }) => type === "ImportDeclaration" || type.startsWith("Export")),
  };
  const clients = new Set<string>();
  const namespaces = new Set<string>();
  const line = (node: Node): number => node.loc.start.line;
  const parents = parentsIn(program);
  /** Leads a package's literal here where all that is taken of it is here; `names` are undefined where nobody can tell. */
  function takeFrom(source: Node, names: readonly (string | undefined)[] | undefined, at: number): void {
    if (names !== undefined && names.length > 0 && names.every((name) => PROVIDERS.has(name ?? "")))
      edits.push({ start: source.start, end: source.end, text: quoted(text, source, PACKAGE) });
    else if (names?.every((name) => name !== undefined && !PROVIDERS.has(name)) !== true)
      byHand.push({ line: at, says: `take ${[...PROVIDERS].join(", ")} from ${PACKAGE}` });
    else sayEnds(names, at, byHand);
  }

  visit(program, (node) => {
    if (node.type === "ImportDeclaration" && node["importKind"] !== "type") {
      const from = (node["source"] as Node)["value"] as string;
      const specifiers = node["specifiers"] as readonly Node[];
      if (CLIENT_PACKAGE.test(from)) {
        for (const specifier of specifiers) {
          const local = nameOf(specifier["local"]) ?? "";
          // The default of a CommonJS package is all that it exports.
          if (specifier.type !== "ImportSpecifier") namespaces.add(local);
          else if (!NO_CLIENT.test(nameOf(specifier["imported"]) ?? "")) clients.add(local);
        }
      } else if (PROVIDER_PACKAGES.has(from)) {
        const named = specifiers.filter(({ type }) => type === "ImportSpecifier");
        if (named.length < specifiers.length)
          byHand.push({
            line: line(node),
            says: `${from} is imported as a whole: import what is used from ${PACKAGE}`,
          });
        else moveImport(node, named, from, text, edits, byHand, seen);
      } else if (from === "aws-sdk" || from.startsWith("aws-sdk/"))
        byHand.push({ line: line(node), says: "AWS SDK v2: start the program with node -r imds-guard/register" });
    }
    if (/^Export(?:Named|All)Declaration$/.test(node.type) && node["exportKind"] !== "type") {
      const source = node["source"] as Node | null | undefined;
      if (PROVIDER_PACKAGES.has(stringOf(source) ?? "")) {
        const names = (node["specifiers"] as readonly Node[] | undefined)?.map((each) => nameOf(each["local"]));
        takeFrom(source as Node, names, line(node));
      }
    }
    const source = loadedBy(node);
    if (source !== undefined && PROVIDER_PACKAGES.has(stringOf(source) ?? ""))
      takeFrom(source, namesTaken(node, parents), line(node));
    if (node.type === "CallExpression" && MOCKS.test(nameOf((node["callee"] as Node)["property"]) ?? "")) {
      const from = stringOf((node["arguments"] as readonly unknown[])[0]);
      if (from !== undefined && PROVIDER_PACKAGES.has(from))
        byHand.push({ line: line(node), says: `a mock of ${from}: what comes from ${PACKAGE} is not mocked by it` });
    }
    if (node.type === "VariableDeclarator") {
      const from = required(node["init"]);
      const pattern = node["id"] as Node;
      if (from !== undefined && CLIENT_PACKAGE.test(from)) {
        if (pattern.type === "Identifier") namespaces.add(pattern["name"] as string);
        for (const [imported, local] of propertiesOf(pattern)) if (!NO_CLIENT.test(imported)) clients.add(local);
      } else if (from === "aws-sdk")
        byHand.push({ line: line(node), says: "AWS SDK v2: start the program with node -r imds-guard/register" });
    }
  });
  const withCredentials = new Set<string>();
  visit(program, (node) => {
    const value = node.type === "VariableDeclarator" ? (node["init"] as Node | null) : null;
    if (value?.type !== "ObjectExpression") return;
    const named = nameOf(node["id"]);
    if (named === undefined) return;
    if ((value["properties"] as readonly Node[]).some((property) => keyOf(property) === "credentials"))
      withCredentials.add(named);
  });
  visit(program, (node) => {
    if (node.type !== "NewExpression" || !isClient(node["callee"] as Node, clients, namespaces)) return;
    const [config, ...more] = node["arguments"] as readonly Node[];
    const says = `add ...guard.clientConfig() to what ${text.slice((node["callee"] as Node).start, (node["callee"] as Node).end)} is given`;
    if (config === undefined) {
      // `new S3Client` may stand without its parentheses.
      const bare = !text.slice((node["callee"] as Node).end, node.end).includes("(");
      const given = `{ ...${seen.guard}.clientConfig() }`;
      edits.push(bare ? insert(node.end, `(${given})`) : insert(node.end - 1, given));
      seen.firstUse ??= node.start;
    } else if (isNamedIn(withCredentials, config)) return;
    else if (config.type !== "ObjectExpression" || more.length > 0) byHand.push({ line: line(node), says });
    else {
      const properties = config["properties"] as readonly Node[];
      if (properties.some((property) => keyOf(property) === "credentials")) return;
      // What is spread in may bring credentials of its own, which then are meant.
      if (properties.some(({ type }) => type === "SpreadElement")) {
        if (!/clientConfig\(/.test(text.slice(config.start, config.end))) byHand.push({ line: line(node), says });
        return;
      }
      const [first] = properties;
      const space = first === undefined ? " " : text.slice(config.start + 1, first.start).includes("\n") ? "\n" : "";
      const indent = first === undefined ? "" : (/\n([ \t]*)[^\n]*$/.exec(text.slice(0, first.start))?.[1] ?? "");
      const spread = `...${seen.guard}.clientConfig()`;
      edits.push(
        first === undefined
          ? { start: config.start, end: config.end, text: `{ ${spread} }` }
          : insert(first.start, space === "\n" ? `${spread},\n${indent}` : `${spread}, `),
      );
      seen.firstUse ??= node.start;
    }
  });
  return seen;
}

/** `import { a, b } from "x"`: what this package has comes from it, and the rest stays. */
function moveImport(
  node: Node,
  named: readonly Node[],
  from: string,
  text: string,
  edits: Edit[],
  byHand: ByHand[],
  { quote, semicolon }: Seen,
): void {
  const has = (specifier: Node): boolean => PROVIDERS.has(nameOf(specifier["imported"]) ?? "");
  const moved = named.filter(has);
  const left = named.filter((specifier) => !has(specifier));
  sayEnds(
    left.map((specifier) => nameOf(specifier["imported"])),
    node.loc.start.line,
    byHand,
  );
  if (moved.length === 0) return;
  const source = node["source"] as Node;
  if (left.length === 0) edits.push({ start: source.start, end: source.end, text: quoted(text, source, PACKAGE) });
  else {
    const list = (specifiers: readonly Node[]): string =>
      specifiers.map((specifier) => text.slice(specifier.start, specifier.end)).join(", ");
    const one = (specifiers: readonly Node[], name: string): string =>
      `import { ${list(specifiers)} } from ${quote}${name}${quote}${semicolon}`;
    edits.push({ start: node.start, end: node.end, text: `${one(left, from)}\n${one(moved, PACKAGE)}` });
  }
}

/** Names providers that have no namesake here. */
function sayEnds(names: readonly (string | undefined)[], line: number, byHand: ByHand[]): void {
  const ends = names.filter((name) => ENDS_AT_IMDS.has(name ?? ""));
  if (ends.length > 0)
    byHand.push({ line, says: `${ends.join(", ")} can end at IMDS: take fromNodeProviderChain of ${PACKAGE}` });
}

/** The statements that make the guard: behind the last one that loads something, and before its first use. */
function guardOf(
  program: Node,
  text: string,
  { loading, guard, quote, semicolon, module }: Seen,
  firstUse: number,
): Edit {
  const loads = module
    ? `import { createGuard } from ${quote}${PACKAGE}${quote}${semicolon}`
    : `const { createGuard } = require(${quote}${PACKAGE}${quote})${semicolon}`;
  const made = `const ${guard} = createGuard()${semicolon}`;
  const anchor = loading.findLast(({ end }) => end <= firstUse);
  // A remark behind the statement stays with it.
  if (anchor !== undefined) {
    const rest =
      /^[ \t]*(?:\/\/[^\n]*)?(?=\r?\n|$)/.exec(text.slice(anchor.end, endOfLine(text, anchor.end)))?.[0] ?? "";
    return insert(anchor.end + rest.length, `\n${loads}\n\n${made}`);
  }
  const [first] = program["body"] as readonly Node[];
  return insert(first?.start ?? text.length, `${loads}\n\n${made}\n`);
}

/** `const x = require("y")`, at the top level. */
const loads = (statement: Node): boolean =>
  statement.type === "VariableDeclaration" &&
  (statement["declarations"] as readonly Node[]).some((declarator) => required(declarator["init"]) !== undefined);

/** What is loaded by `require("y")` or `import("y")`, also where somebody waits for it or catches its failure. */
function required(node: unknown): string | undefined {
  const call = node as Node | null | undefined;
  if (call?.type === "AwaitExpression") return required(call["argument"]);
  const caught = call?.type === "CallExpression" ? (call["callee"] as Node) : undefined;
  if (caught !== undefined && nameOf(caught["property"]) === "catch") return required(caught["object"]);
  return stringOf(loadedBy(call));
}

/** The literal of a call of `require` or `import`. */
function loadedBy(node: unknown): Node | undefined {
  const call = node as Node | null | undefined;
  if (call?.type === "ImportExpression") return call["source"] as Node;
  if (call?.type !== "CallExpression") return undefined;
  const callee = call["callee"] as Node;
  if (nameOf(callee) !== "require" && callee.type !== "Import") return undefined;
  return (call["arguments"] as readonly Node[])[0];
}

/** The names that are taken of what a call loads; undefined where they cannot be told. */
function namesTaken(call: Node, parents: ReadonlyMap<Node, Node>): readonly string[] | undefined {
  let node = call;
  for (let parent = parents.get(node); parent !== undefined; node = parent, parent = parents.get(node)) {
    switch (parent.type) {
      case "AwaitExpression":
      case "ParenthesizedExpression":
      case "TSNonNullExpression":
        continue;
      case "VariableDeclarator":
        return namesIn(parent["id"] as Node);
      case "AssignmentExpression":
        return namesIn(parent["left"] as Node);
      case "CallExpression":
        // What `catch` gives is what it was called on.
        if (nameOf((parent["callee"] as Node)["property"]) === "catch" && parent["callee"] === node) continue;
        return undefined;
      case "MemberExpression":
      case "OptionalMemberExpression": {
        const name = parent["computed"] === true ? undefined : nameOf(parent["property"]);
        if (name === "catch") continue;
        if (name !== "then") return name === undefined ? undefined : [name];
        const [taker] = (parents.get(parent)?.["arguments"] ?? []) as readonly Node[];
        const [taken] = (taker?.["params"] ?? []) as readonly Node[];
        return taken === undefined ? undefined : namesIn(taken);
      }
      default:
        return undefined;
    }
  }
  return undefined;
}

function namesIn(pattern: Node): readonly string[] | undefined {
  if (pattern.type !== "ObjectPattern") return undefined;
  const properties = pattern["properties"] as readonly Node[];
  const names = properties.flatMap((property) => (property.type === "ObjectProperty" ? (keyOf(property) ?? []) : []));
  return names.length === properties.length ? names : undefined;
}

function parentsIn(program: Node): ReadonlyMap<Node, Node> {
  const parents = new Map<Node, Node>();
  visit(program, (node) => {
    for (const value of Object.values(node))
      for (const child of Array.isArray(value) ? value : [value])
        if (typeof (child as Partial<Node> | null | undefined)?.type === "string") parents.set(child as Node, node);
  });
  return parents;
}

function isClient(callee: Node, clients: ReadonlySet<string>, namespaces: ReadonlySet<string>): boolean {
  if (callee.type === "Identifier") return clients.has(callee["name"] as string);
  if (callee.type !== "MemberExpression" || callee["computed"] === true) return false;
  const property = nameOf(callee["property"]) ?? "";
  return namespaces.has(nameOf(callee["object"]) ?? "") && !NO_CLIENT.test(property);
}

/** `{ a, b: c }` as pairs of what is taken and how it is called; nothing for other patterns. */
function propertiesOf(pattern: Node): [string, string][] {
  if (pattern.type !== "ObjectPattern") return [];
  return (pattern["properties"] as readonly Node[]).flatMap((property): [string, string][] => {
    const [key, local] = [keyOf(property), nameOf(property["value"])];
    return key === undefined || local === undefined ? [] : [[key, local]];
  });
}

const keyOf = (property: Node): string | undefined => nameOf(property["key"]) ?? stringOf(property["key"]);

function isNamedIn(names: ReadonlySet<string>, node: unknown): boolean {
  const name = nameOf(node);
  return name !== undefined && names.has(name);
}

function nameOf(node: unknown): string | undefined {
  const identifier = node as Node | null | undefined;
  return identifier?.type === "Identifier" ? (identifier["name"] as string) : undefined;
}

function stringOf(node: unknown): string | undefined {
  const literal = node as Node | null | undefined;
  return literal?.type === "StringLiteral" ? (literal["value"] as string) : undefined;
}

const quoted = (text: string, literal: Node, value: string): string => {
  const quote = text[literal.start] ?? '"';
  return quote + value + quote;
};

const insert = (at: number, text: string): Edit => ({ start: at, end: at, text });

function apply(text: string, edits: readonly Edit[]): { text: string; changes: Change[] } {
  const sorted = [...edits].sort((a, b) => a.start - b.start || a.end - b.end);
  let changed = "";
  let at = 0;
  const changes: Change[] = [];
  for (const { start, end, text: put } of sorted) {
    changed += text.slice(at, start) + put;
    at = end;
    const from = text.lastIndexOf("\n", start - 1) + 1;
    const to = endOfLine(text, end);
    changes.push({
      line: text.slice(0, from).split("\n").length,
      before: text.slice(from, to),
      after: text.slice(from, start) + put + text.slice(end, to),
    });
  }
  return { text: changed + text.slice(at), changes };
}

function endOfLine(text: string, at: number): number {
  const end = text.indexOf("\n", at);
  return end < 0 ? text.length : end;
}

/** Calls `look` with each node, in the order of the text; without recursion, because generated code is deep. */
function visit(root: Node, look: (node: Node) => void): void {
  const waiting: unknown[] = [root];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (Array.isArray(next)) for (const each of next.toReversed()) waiting.push(each ?? null);
    if (typeof next !== "object" || next === null || Array.isArray(next)) continue;
    const node = next as Node;
    if (typeof node.type === "string") look(node);
    for (const [key, value] of Object.entries(node).toReversed())
      if (typeof value === "object" && value !== null && key !== "loc" && key !== "extra" && !key.endsWith("omments"))
        waiting.push(value);
  }
}
