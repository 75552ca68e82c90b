// @ts-check
/** What may be asked of a run, and what is said where something else is. */
import { parseArgs } from "node:util";

/** A setting that cannot be used. */
export class SettingError extends Error {
  /** @override */
  name = "SettingError";
}

/**
 * @typedef {object} Settings
 * @property {readonly string[]} targets names; all where none is named
 * @property {number} seconds for each target
 * @property {number | undefined} runs for each target, in the place of seconds
 * @property {number} seed
 * @property {boolean} minimise
 * @property {boolean} list
 * @property {boolean} keep whether inputs that reach something new become files
 * @property {string | undefined} replay a file
 * @property {string | undefined} json a file
 */

/** @type {Readonly<Record<string, { type: "string" | "boolean", multiple?: boolean }>>} */
const OPTIONS = {
  target: { type: "string", multiple: true },
  time: { type: "string" },
  runs: { type: "string" },
  seed: { type: "string" },
  json: { type: "string" },
  replay: { type: "string" },
  minimise: { type: "boolean" },
  list: { type: "boolean" },
  "no-keep": { type: "boolean" },
};
const SHORTEST_S = 1;
const LONGEST_S = 86_400;
const DEFAULT_S = 20;

/**
 * @param {readonly string[]} words of the command line
 * @param {readonly string[]} names of targets
 * @returns {Settings}
 * @throws SettingError that names the setting, its value and what is allowed
 */
export function readSettings(words, names) {
  const { tokens } = parseArgs({
    args: [...words],
    options: OPTIONS,
    strict: false,
    tokens: true,
    allowPositionals: true,
  });
  /** @type {Record<string, string[]>} */
  const given = {};
  for (const token of tokens) {
    if (token.kind === "positional")
      throw new SettingError(`${JSON.stringify(token.value)} is no setting; targets are named by --target`);
    if (token.kind !== "option") continue;
    const option = Object.hasOwn(OPTIONS, token.name) ? OPTIONS[token.name] : undefined;
    if (option === undefined)
      throw new SettingError(
        `${token.rawName} is no setting; allowed: ${Object.keys(OPTIONS)
          .map((name) => `--${name}`)
          .join(", ")}`,
      );
    if (option.type === "boolean" && token.value !== undefined)
      throw new SettingError(`--${token.name} is ${JSON.stringify(token.value)}; it takes no value`);
    if (
      option.type === "string" &&
      (token.value === undefined || token.value === "" || (token.value.startsWith("--") && !token.inlineValue))
    )
      throw new SettingError(`--${token.name} has no value`);
    const values = (given[token.name] ??= []);
    if (values.length > 0 && option.multiple !== true) throw new SettingError(`--${token.name} is given twice`);
    values.push(token.value ?? "");
  }
  const one = (/** @type {string} */ name) => given[name]?.[0];
  const number = (/** @type {string} */ name, /** @type {number} */ from, /** @type {number} */ to) => {
    const text = one(name);
    if (text === undefined) return undefined;
    if (!/^\d{1,10}$/.test(text) || Number(text) < from || Number(text) > to)
      throw new SettingError(`--${name} is ${JSON.stringify(text)}; allowed: a whole number from ${from} to ${to}`);
    return Number(text);
  };
  const targets = given["target"] ?? [];
  for (const name of targets)
    if (!names.includes(name))
      throw new SettingError(`--target is ${JSON.stringify(name)}; allowed: ${names.join(", ")}`);
  const replay = one("replay");
  if (replay !== undefined && targets.length > 1)
    throw new SettingError("--replay is for one target, and --target names several");
  const [time, runs] = [number("time", SHORTEST_S, LONGEST_S), number("runs", 1, 1e9)];
  if (time !== undefined && runs !== undefined)
    throw new SettingError("--time and --runs are both given; either ends a run");
  return {
    targets,
    seconds: time ?? DEFAULT_S,
    runs,
    seed: number("seed", 0, 2 ** 32 - 1) ?? 1,
    minimise: given["minimise"] !== undefined,
    list: given["list"] !== undefined,
    keep: given["no-keep"] === undefined,
    replay,
    json: one("json"),
  };
}

/**
 * The target that a file belongs to: the folder of a corpus, or the beginning of the name of a finding. @param {string}
 * path @param {readonly string[]} names
 */
export function targetOfFile(path, names) {
  const [folder = "", file = ""] = path.split(/[/\\]/).slice(-2);
  if (names.includes(folder)) return folder;
  // A name may begin with another.
  return names.filter((name) => file.startsWith(`${name}-`)).toSorted((a, b) => b.length - a.length)[0];
}
