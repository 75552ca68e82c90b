/** The file of rules: TOML, read strictly, every complaint with its line and column. */
import { parse, TomlError } from "smol-toml";
import type { IpNetwork } from "../base/addresses.js";
import { parseNetwork } from "../base/addresses.js";
import { nearest } from "../settings/nearest.js";
import { readGlob } from "./paths.js";
import type { GatewayRule } from "./rules.js";

/** Bytes of a file that is read. */
export const MAX_RULES_BYTES = 1024 * 1024;
/** Rules in one file. */
export const MAX_RULES = 1_000;

/** A mistake in a file of rules. Line and column count from 1. */
export interface RulesProblem {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** What a file comes to: rules only where there is no problem. */
export interface RulesFile {
  readonly rules: readonly GatewayRule[];
  readonly problems: readonly RulesProblem[];
  /** What is no mistake and yet says nothing: users and groups that this host does not have. */
  readonly notes: readonly RulesProblem[];
}

/** Looks names of users and groups up; undefined where there is none of that name. */
export interface Names {
  readonly uidOf: (name: string) => number | undefined;
  readonly gidOf: (name: string) => number | undefined;
}

const KEYS = ["user", "group", "unit", "container", "paths", "role", "user_data"] as const;
type Key = (typeof KEYS)[number];

const ROLE = /^[\w+=,.@-]{1,64}$/;
const UNIT = /^[\w:.\\@-]{1,255}\.(?:service|scope|slice|socket|timer|mount)$/;
const CONTAINER = /^[0-9a-f]{12,64}$/;
/** Larger than any number of a user or group. */
const MAX_ID = 2 ** 32 - 2;

/** Reads the text of a file. Nothing of a file with a problem may be used. */
export function readRules(text: string, names: Names): RulesFile {
  const problems: RulesProblem[] = [];
  const notes: RulesProblem[] = [];
  const done = (rules: readonly GatewayRule[]): RulesFile => ({
    rules: problems.length > 0 ? [] : rules,
    problems,
    notes,
  });
  let table: Record<string, unknown>;
  try {
    table = parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    problems.push({ line: error.line, column: error.column, message: firstLine(error.message) });
    return done([]);
  }
  const find = createFinder(text);
  for (const key of Object.keys(table)) {
    if (key === "rule") continue;
    const near = nearest(key, ["rule"]);
    problems.push({
      ...find(undefined, key),
      message: `${shown(key)} is not known here; ${near === undefined ? "rules are written" : "did you mean"} [[rule]]`,
    });
  }
  const listed = Object.hasOwn(table, "rule") ? table["rule"] : [];
  if (!Array.isArray(listed)) {
    problems.push({ ...find(undefined, "rule"), message: "rule is one table; rules are written [[rule]]" });
    return done([]);
  }
  if (listed.length > MAX_RULES) {
    problems.push({ line: 1, column: 1, message: `${listed.length} rules; at most ${MAX_RULES} are allowed` });
    return done([]);
  }
  const rules = listed.map((entry: unknown, index) => {
    const own: Record<string, unknown> = Object.assign(Object.create(null) as Record<string, unknown>, entry);
    return ruleOf(own, {
      problem: (key, message) => problems.push({ ...find(index, key), message }),
      note: (key, message) => notes.push({ ...find(index, key), message }),
      names,
    });
  });
  return done(rules);
}

interface Reading {
  readonly problem: (key: string | undefined, message: string) => void;
  readonly note: (key: string, message: string) => void;
  readonly names: Names;
}

function ruleOf(entry: Record<string, unknown>, reading: Reading): GatewayRule {
  const { problem, note, names } = reading;
  for (const key of Object.keys(entry)) {
    if ((KEYS as readonly string[]).includes(key)) continue;
    const near = nearest(key, KEYS);
    problem(
      key,
      `${shown(key)} is not known; ${near === undefined ? `allowed: ${KEYS.join(", ")}` : `did you mean ${near}?`}`,
    );
  }
  const ids = (key: "user" | "group", idOf: (name: string) => number | undefined): readonly number[] | undefined =>
    list(key, entry, reading, `a name or a number, or a list of them`)?.flatMap((value) => {
      if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= MAX_ID) return [value];
      if (typeof value !== "string" || value === "") {
        problem(key, `${key} is ${shown(value)}; a name or a number is allowed`);
        return [];
      }
      const id = idOf(value);
      if (id === undefined) note(key, `this host has no ${key} ${value}: the rule fits nobody by that name`);
      return id === undefined ? [] : [id];
    });
  const texts = (key: "unit" | "container", form: RegExp, allowed: string): readonly string[] | undefined =>
    list(key, entry, reading, allowed)?.flatMap((value) => {
      if (typeof value === "string" && form.test(value)) return [value];
      problem(key, `${key} is ${shown(value)}; ${allowed} is allowed`);
      return [];
    });
  return {
    users: ids("user", names.uidOf),
    groups: ids("group", names.gidOf),
    units: texts("unit", UNIT, "the name of a unit such as amazon-ssm-agent.service"),
    containers: containersOf(entry, reading),
    paths: list("paths", entry, reading, "a list of paths")?.flatMap((value) => {
      const glob = typeof value === "string" ? readGlob(value) : undefined;
      if (glob === undefined)
        problem("paths", `${shown(value)} is no path; it begins with /latest/, * stays in a segment and ** spans them`);
      return glob === undefined ? [] : [glob];
    }),
    role: roleOf(entry, reading),
    userData: boolean("user_data", entry, reading),
  };
}

function containersOf(entry: Record<string, unknown>, reading: Reading): readonly (string | IpNetwork)[] | undefined {
  const allowed =
    "the id of a container (12 to 64 hexadecimal digits), or the address or network of clients on a bridge";
  return list("container", entry, reading, allowed)?.flatMap((value): readonly (string | IpNetwork)[] => {
    if (typeof value === "string" && CONTAINER.test(value)) return [value];
    try {
      return [parseNetwork(String(value), "container")];
    } catch {
      reading.problem("container", `container is ${shown(value)}; ${allowed} is allowed`);
      return [];
    }
  });
}

function roleOf(entry: Record<string, unknown>, reading: Reading): readonly string[] | boolean {
  const { role } = entry;
  if (role === undefined) return false;
  if (typeof role === "boolean") return role;
  return (
    list("role", entry, reading, "a name, a list of names, or true")?.flatMap((value) => {
      if (typeof value === "string" && ROLE.test(value)) return [value];
      reading.problem("role", `role is ${shown(value)}; the name of an IAM role is allowed`);
      return [];
    }) ?? false
  );
}

function boolean(key: Key, entry: Record<string, unknown>, { problem }: Reading): boolean {
  const value = entry[key];
  if (value === undefined || typeof value === "boolean") return value ?? false;
  problem(key, `${key} is ${shown(value)}; true or false is allowed`);
  return false;
}

/** One value or several; an empty list is a mistake, because it would fit nobody or everybody. */
function list(
  key: Key,
  entry: Record<string, unknown>,
  { problem }: Reading,
  allowed: string,
): readonly unknown[] | undefined {
  const value = entry[key];
  if (value === undefined) return undefined;
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (values.length > 0) return values;
  problem(key, `${key} is an empty list; ${allowed} is allowed`);
  return [];
}

function shown(value: unknown): string {
  // A date tells how it was written; as a text it would be that of this host's time zone.
  const text =
    value instanceof Date ? value.toISOString() : typeof value === "object" ? JSON.stringify(value) : String(value);
  return JSON.stringify(text.slice(0, 100));
}

function firstLine(message: string): string {
  return message.replace(/^Invalid TOML document: /, "").split("\n", 1)[0] ?? "";
}

/** Finds the line of a key: of the file itself, or of the n-th `[[rule]]`, whose header stands in for what is missing. */
function createFinder(
  text: string,
): (rule: number | undefined, key: string | undefined) => { line: number; column: number } {
  const lines = text.split("\n");
  const headers = lines.flatMap((line, index) => (/^\s*\[\[\s*["']?rule["']?\s*\]\]/.test(line) ? [index] : []));
  return (rule, key) => {
    const from = rule === undefined ? 0 : (headers[rule] ?? 0);
    const to = rule === undefined ? lines.length : (headers[rule + 1] ?? lines.length);
    for (let index = from; key !== undefined && index < to; index += 1) {
      const line = lines[index] ?? "";
      const column = line.search(/\S/);
      if (/^\s*\[*\s*["']?([\w-]+)/.exec(line)?.[1] === key) return { line: index + 1, column: column + 1 };
    }
    return { line: from + 1, column: 1 };
  };
}
