/** One setting out of all its sources: options, environment, credentials file, config file, and the machine's own file. */
import type { ImdsGuardSettingsError } from "../base/errors.js";
import { fact, settingError } from "../base/errors.js";
import { hasOwnKey } from "../base/own-properties.js";
import { printable } from "../base/text.js";
import type { OwnKeys } from "./config-files.js";
import type { Environment } from "./environment.js";
import type { GuardOptions, SettingSource } from "./options.js";
import type { SettingName, SettingSpec } from "./table.js";
import { complaint, parseSetting, specOf } from "./table.js";

/** Where settings of this package come from, in the order in which the nearest has the word. */
export interface Sources {
  /** As `snapshotOptions` gave them. */
  readonly options: GuardOptions;
  readonly env: Environment;
  readonly files: readonly OwnKeys[];
  /** Keys of the machine's own file. */
  readonly machine: ReadonlyMap<string, string>;
}

/** A value, and where it comes from. */
export interface Chosen {
  readonly source: SettingSource;
  readonly value: unknown;
}

interface Candidate extends Chosen {
  /** The name as the user wrote it. */
  readonly written: string;
}

/**
 * What the sources come to, or undefined where none says anything.
 * @throws ImdsGuardSettingsError `ERR_IMDS_GUARD_SETTING` for a word that is not allowed, lists with nothing in common,
 * and two values in one file
 */
export function choose(name: SettingName, sources: Sources): Chosen | undefined {
  const setting = specOf(name);
  const found = candidates(setting, sources);
  const chosen = found.length === 0 ? undefined : amongSources(setting, found);
  const machine = sources.machine.get(setting.key);
  return machine === undefined ? chosen : tightened(setting, chosen, machineValue(setting, machine));
}

function candidates(setting: SettingSpec, { options, env, files }: Sources): Candidate[] {
  const found: Candidate[] = [];
  const { name } = setting;
  if (options[name] !== undefined) found.push({ source: "option", written: `guard.${name}`, value: options[name] });
  const variable = parseText(setting, setting.env, env[setting.env]);
  if (variable !== undefined) found.push({ source: "environment", written: setting.env, value: variable.value });
  for (const { keys } of files) {
    const values = (keys.get(setting.key) ?? [])
      .map((text) => parseText(setting, setting.key, text))
      .filter((parsed) => parsed !== undefined)
      .map(({ value }): Candidate => ({ source: "profile", written: setting.key, value }));
    if (values.length > 0) found.push(withinFile(setting, values));
  }
  return found;
}

/** An empty text says nothing, but where it stands for a list of what is expected: in code an empty one is an error. */
function parseText(setting: SettingSpec, written: string, text: string | undefined): { value: unknown } | undefined {
  if (text === undefined || (text === "" && !isExpected(setting))) return undefined;
  const parsed = parseSetting(setting, setting.read(text));
  if (hasOwnKey(parsed, "allowed")) throw wrongSetting(written, text, parsed.allowed);
  return parsed;
}

function isExpected({ tightens }: SettingSpec): boolean {
  return tightens !== undefined && hasOwnKey(tightens, "list") && tightens.list === "expected";
}

/** Several values in one file, as `[default]` beside `[profile default]`: both count. */
function withinFile(setting: SettingSpec, values: readonly Candidate[]): Candidate {
  const [first, ...others] = values as readonly [Candidate, ...Candidate[]];
  const { tightens } = setting;
  if (tightens !== undefined && hasOwnKey(tightens, "words"))
    return values.reduce((a, b) => (strictness(tightens.words, b.value) > strictness(tightens.words, a.value) ? b : a));
  if (isExpected(setting)) return amongSources(setting, values);
  const other = others.find(({ value }) => JSON.stringify(value) !== JSON.stringify(first.value));
  if (other === undefined) return first;
  throw settingError(
    `${setting.key} has two values in one profile: ${printable(shown(first.value))} and ${printable(shown(other.value))}`,
    "Keep one of them.",
    fact(setting.key, "stands twice in a file, perhaps in [default] and [profile default]"),
  );
}

function amongSources(setting: SettingSpec, found: readonly Candidate[]): Candidate {
  const first = found[0] as Candidate;
  const { tightens } = setting;
  if (tightens !== undefined && hasOwnKey(tightens, "words")) {
    const strictest = tightens.words.at(-1);
    return found.find((candidate) => candidate.value === strictest) ?? first;
  }
  if (!isExpected(setting)) return first;
  const common = found.reduce(
    (left, { value }) => left.filter((item) => (value as string[]).includes(item)),
    first.value as string[],
  );
  if (common.length > 0) return { ...first, value: common };
  const lists = found.map(({ written, value }) => `${written} = ${(value as string[]).join(",")}`).join("; ");
  throw nothingLeft(setting.name, lists);
}

function machineValue(setting: SettingSpec, text: string): Candidate {
  const written = `${setting.key} of the machine`;
  const parsed = parseSetting(setting, setting.read(text));
  if (hasOwnKey(parsed, "allowed")) throw wrongSetting(written, text, parsed.allowed);
  return { source: "machine", written, value: parsed.value };
}

/** The machine's own file can only tighten what the others come to, or the default. */
function tightened(setting: SettingSpec, chosen: Chosen | undefined, machine: Candidate): Chosen | undefined {
  const { tightens } = setting;
  if (tightens === undefined) return chosen;
  if (hasOwnKey(tightens, "words")) {
    const { words, byDefault } = tightens;
    return strictness(words, machine.value) > strictness(words, chosen?.value ?? byDefault) ? machine : chosen;
  }
  if (chosen === undefined) return tightens.list === "expected" ? machine : undefined;
  const mine = chosen.value as readonly string[];
  const common = mine.filter((item) => (machine.value as string[]).includes(item));
  if (common.length === 0 && tightens.list === "expected")
    throw nothingLeft(
      setting.name,
      `${chosen.source} = ${mine.join(",")}; ${machine.written} = ${(machine.value as string[]).join(",")}`,
    );
  return common.length === mine.length ? chosen : { source: "machine", value: common };
}

function strictness(words: readonly string[], word: unknown): number {
  return words.indexOf(word as string);
}

function shown(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function nothingLeft(name: string, lists: string): ImdsGuardSettingsError {
  return settingError(
    `Nothing is left of ${name}: its sources have no entry in common (${lists})`,
    "Each source of an expected list can only narrow the others. Make them agree on at least one entry.",
  );
}

/** The error for a text that is none of the words allowed. */
export function wrongSetting(written: string, text: string, allowed: string, cause?: unknown): ImdsGuardSettingsError {
  return settingError(
    complaint(written, text, allowed),
    `Set ${written} to one of: ${allowed}; or remove it.`,
    fact(written, `not one of: ${allowed}`),
    cause,
  );
}
