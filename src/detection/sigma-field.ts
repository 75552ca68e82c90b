/** One line of a Sigma search, `field|modifiers: values`, compiled to a function. */
import { invalidArgument } from "../base/errors.js";
import { inNetwork, parseNetwork, spellings } from "../base/addresses.js";
import { fieldOf, foldCase } from "./log-record.js";
import type { LogRecord } from "./log-record.js";
import { bestOf, eitherOf, literalOf } from "./sigma-literals.js";
import type { Literals } from "./sigma-literals.js";
import type { Scalar } from "./sigma-rule.js";

/** Something that a record does or does not satisfy, and what its line must contain if it does. */
export interface Matcher {
  readonly test: (record: LogRecord) => boolean;
  readonly literals: Literals;
}

/** A test of one value of a field. */
interface ValueTest {
  readonly test: (value: unknown) => boolean;
  readonly literals: Literals;
}

const KNOWN = [
  "contains",
  "startswith",
  "endswith",
  "all",
  "cased",
  "re",
  "i",
  "m",
  "s",
  "cidr",
  "exists",
  "fieldref",
  "neq",
  "gt",
  "gte",
  "lt",
  "lte",
];

/**
 * Compiles `key` (field and modifiers) with its value or values. A field that holds a list matches when one of its
 * elements does. A key without a field (`|all`) searches the text of the record.
 *
 * @throws TypeError with code `ERR_INVALID_ARG_VALUE` for modifiers outside the subset and values that do not fit them
 */
export function compileField(key: string, value: Scalar | readonly Scalar[]): Matcher {
  const [field = "", ...modifiers] = key.split("|");
  const unknown = modifiers.find((modifier) => !KNOWN.includes(modifier));
  if (unknown !== undefined) throw invalidArgument(`modifier of ${key}`, unknown, KNOWN.join(", "));
  const values: readonly Scalar[] = Array.isArray(value) ? value : [value as Scalar];
  if (values.length === 0) throw invalidArgument(`value of ${key}`, "[]", "at least one value");
  if (field === "") return keywords(values, modifiers.includes("all"));
  if (modifiers.includes("exists")) return existence(field, key, values);
  if (modifiers.includes("fieldref")) return reference(field, key, values, modifiers.includes("neq"));
  const tests = values.map((value) => valueTest(key, value, modifiers));
  const all = modifiers.includes("all");
  const anyElement =
    ({ test }: ValueTest) =>
    (record: LogRecord): boolean =>
      someElement(fieldOf(record.fields, field), test);
  const matched = join(
    tests.map((test) => ({ test: anyElement(test), literals: test.literals })),
    all,
  );
  if (!modifiers.includes("neq")) return matched;
  // A field that is not there is not different from anything.
  return { test: (record) => isPresent(fieldOf(record.fields, field)) && !matched.test(record), literals: undefined };
}

/** Compiles texts that are looked for anywhere in the record: one of them has to be there, or with `all` each. */
export function keywords(values: readonly Scalar[], all: boolean): Matcher {
  const tests = values.map((value): Matcher => {
    const { test, literals } = pattern(`*${String(value)}*`, false);
    return { test: (record) => test(record.text), literals };
  });
  return join(tests, all);
}

/** Joins by "and" or "or". */
export function join(matchers: readonly Matcher[], all: boolean): Matcher {
  if (matchers.length === 1) return matchers[0]!;
  const sets = matchers.map(({ literals }) => literals);
  return all
    ? { test: (record) => matchers.every(({ test }) => test(record)), literals: bestOf(sets) }
    : { test: (record) => matchers.some(({ test }) => test(record)), literals: eitherOf(sets) };
}

function someElement(value: unknown, test: (value: unknown) => boolean): boolean {
  return Array.isArray(value) ? value.some(test) : test(value);
}

function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function existence(field: string, key: string, values: readonly Scalar[]): Matcher {
  const [wanted] = values;
  if (typeof wanted !== "boolean" || values.length > 1) throw invalidArgument(`value of ${key}`, wanted, "true, false");
  return { test: (record) => (fieldOf(record.fields, field) !== undefined) === wanted, literals: undefined };
}

function reference(field: string, key: string, values: readonly Scalar[], different: boolean): Matcher {
  const others = values.map((value) => {
    if (typeof value !== "string") throw invalidArgument(`value of ${key}`, value, "names of fields");
    return value;
  });
  const test = ({ fields }: LogRecord): boolean => {
    const own = textOf(fieldOf(fields, field));
    return (
      own !== undefined &&
      others.some((name) => {
        const other = textOf(fieldOf(fields, name));
        return other !== undefined && (foldCase(own) === foldCase(other)) !== different;
      })
    );
  };
  return { test, literals: undefined };
}

function valueTest(key: string, value: Scalar, modifiers: readonly string[]): ValueTest {
  const bound = modifiers.find((modifier) => ["gt", "gte", "lt", "lte"].includes(modifier));
  if (bound !== undefined) return comparison(key, value, bound);
  if (value === null) return { test: (found) => !isPresent(found), literals: undefined };
  if (modifiers.includes("cidr")) return network(key, value);
  if (modifiers.includes("re")) return expression(key, value, modifiers);
  if (typeof value === "number")
    return { test: (found) => isScalar(found) && found !== "" && Number(found) === value, literals: undefined };
  const before = modifiers.includes("contains") || modifiers.includes("endswith") ? "*" : "";
  const after = modifiers.includes("contains") || modifiers.includes("startswith") ? "*" : "";
  const { test, literals } = pattern(before + String(value) + after, modifiers.includes("cased"));
  return { test: (found) => isScalar(found) && test(String(found)), literals };
}

function isScalar(value: unknown): value is string | number | boolean {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

function textOf(value: unknown): string | undefined {
  return isScalar(value) ? String(value) : undefined;
}

function comparison(key: string, value: Scalar, bound: string): ValueTest {
  if (typeof value !== "number") throw invalidArgument(`value of ${key}`, value, "a number");
  const holds = {
    gt: (n: number) => n > value,
    gte: (n: number) => n >= value,
    lt: (n: number) => n < value,
    lte: (n: number) => n <= value,
  }[bound]!;
  return {
    test: (found) =>
      (typeof found === "number" || (typeof found === "string" && found.trim() !== "")) && holds(Number(found)),
    literals: undefined,
  };
}

function network(key: string, value: Scalar): ValueTest {
  const parsed = parseNetwork(String(value), `value of ${key}`);
  return { test: (found) => typeof found === "string" && inNetwork(parsed, found), literals: spellings(parsed) };
}

function expression(key: string, value: Scalar, modifiers: readonly string[]): ValueTest {
  const flags = ["i", "m", "s"].filter((flag) => modifiers.includes(flag)).join("");
  try {
    const regExp = new RegExp(String(value), flags);
    return { test: (found) => isScalar(found) && regExp.test(String(found)), literals: undefined };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw invalidArgument(`value of ${key}`, value, "a regular expression");
  }
}

/** A text with the wildcards `*` and `?`, which a backslash makes plain. */
function pattern(
  source: string,
  cased: boolean,
): { readonly test: (text: string) => boolean; readonly literals: Literals } {
  const fold = cased ? (text: string) => text : foldCase;
  const parts = splitWildcards(fold(source));
  const fixed = parts.filter((part) => typeof part === "string");
  const literals = bestOf(fixed.map(literalOf));
  const [first, second, third] = parts;
  const any = (part: unknown): boolean => part === ANY;
  if (parts.length === 0) return { test: (text) => text === "", literals };
  if (parts.length === 1 && typeof first === "string") return { test: (text) => fold(text) === first, literals };
  if (parts.length === 2 && any(first) && typeof second === "string")
    return { test: (text) => fold(text).endsWith(second), literals };
  if (parts.length === 2 && typeof first === "string" && any(second))
    return { test: (text) => fold(text).startsWith(first), literals };
  if (parts.length === 3 && any(first) && typeof second === "string" && any(third))
    return { test: (text) => fold(text).includes(second), literals };
  const stretches = stretchesOf(parts);
  return { test: (text) => matchesInTurn(stretches, fold(text)), literals };
}

/**
 * What stands between two stars: texts at their distance from its beginning, everything else of its length being a `?`.
 */
interface Stretch {
  readonly length: number;
  readonly texts: readonly { readonly at: number; readonly text: string }[];
}

/** The stretches before, between and behind the stars; some may be empty. */
function stretchesOf(parts: readonly (string | symbol)[]): readonly [Stretch, ...Stretch[]] {
  const stretches: [Stretch, ...Stretch[]] = [EMPTY];
  for (const part of parts) {
    if (part === ANY) {
      stretches.push(EMPTY);
      continue;
    }
    const { length, texts } = stretches.pop() as Stretch;
    stretches.push(
      typeof part === "string"
        ? { length: length + part.length, texts: [...texts, { at: length, text: part }] }
        : { length: length + 1, texts },
    );
  }
  return stretches;
}

const EMPTY: Stretch = { length: 0, texts: [] };

/**
 * Each stretch is taken where it first fits, which leaves the most for those behind it: nothing is ever tried again, as
 * a regular expression would, and a text that somebody else wrote cannot make it take long.
 */
function matchesInTurn([first, ...others]: readonly [Stretch, ...Stretch[]], text: string): boolean {
  const last = others.pop();
  if (last === undefined) return text.length === first.length && fits(first, text, 0);
  const end = text.length - last.length;
  if (end < first.length || !fits(first, text, 0) || !fits(last, text, end)) return false;
  let at = first.length;
  for (const stretch of others) {
    while (at + stretch.length <= end && !fits(stretch, text, at)) at++;
    at += stretch.length;
    if (at > end) return false;
  }
  return true;
}

function fits({ texts }: Stretch, text: string, from: number): boolean {
  return texts.every(({ at, text: part }) => text.startsWith(part, from + at));
}

const ANY = Symbol("*");
const ONE = Symbol("?");

function splitWildcards(source: string): (string | symbol)[] {
  const parts: (string | symbol)[] = [];
  let fixed = "";
  const flush = (): void => {
    if (fixed !== "") parts.push(fixed);
    fixed = "";
  };
  for (let index = 0; index < source.length; index++) {
    const char = source[index]!;
    const next = source[index + 1];
    if (char === "\\" && (next === "*" || next === "?" || next === "\\")) {
      fixed += next;
      index++;
    } else if (char === "*" || char === "?") {
      flush();
      // Two stars in a row say no more than one.
      if (char === "?" || parts.at(-1) !== ANY) parts.push(char === "*" ? ANY : ONE);
    } else fixed += char;
  }
  flush();
  return parts;
}
