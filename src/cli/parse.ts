/** Reads the words behind a command's name into options and words, or says which word was meant. */
import { parseArgs } from "node:util";
import { nearest } from "../settings/nearest.js";
import type { Command, OptionSpec, OptionValues } from "./command.js";
import { UsageError } from "./command.js";

/** What a command line comes to. */
export interface ParsedWords {
  readonly options: OptionValues;
  readonly words: readonly string[];
  readonly json: boolean;
  readonly help: boolean;
}

/** Options of every command. */
export const COMMON_OPTIONS: readonly OptionSpec[] = [
  { name: "json", summary: "print JSON instead of text" },
  { name: "help", short: "h", summary: "print this help" },
];

/** Every option of a command, the common ones last. */
export function optionsOf(command: Pick<Command, "options">): readonly OptionSpec[] {
  return [...command.options, ...COMMON_OPTIONS];
}

/**
 * Reads `args`, the words behind the command's name.
 * @throws UsageError for an unknown option, a missing or superfluous value, a word that is not allowed, a repetition
 */
export function parseWords(command: Pick<Command, "name" | "options" | "words">, args: readonly string[]): ParsedWords {
  const specs = optionsOf(command);
  const config = Object.fromEntries(
    specs.map(
      ({ name, short, value }) =>
        [name, { type: value === undefined ? "boolean" : "string", ...(short !== undefined && { short }) }] as const,
    ),
  );
  // The tokens alone are used: the messages of strict mode name no near word and its values keep no order.
  const { tokens } = parseArgs({
    args: withBareValues(specs, args),
    options: config,
    strict: false,
    tokens: true,
    allowPositionals: true,
  });
  // Whoever asks for help is not told what else is wrong.
  if (tokens.some((token) => token.kind === "option" && token.name === "help"))
    return { options: {}, words: [], json: false, help: true };
  const found = new Map<string, string | string[] | true>();
  const words: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") words.push(token.value);
    if (token.kind !== "option") continue;
    const spec = specs.find(({ name }) => name === token.name);
    if (spec === undefined) throw unknownOption(token.rawName, specs, command.name);
    const value = valueOf(spec, token);
    const before = found.get(spec.name);
    if (spec.multiple === true) found.set(spec.name, [...((before as string[] | undefined) ?? []), value as string]);
    else if (before !== undefined && value !== true) throw new UsageError(`--${spec.name} is given twice`);
    else found.set(spec.name, value);
  }
  const [first] = words;
  if (first !== undefined && command.words !== undefined && !command.words.includes(first)) {
    throw unknownWord(first, `a word of ${command.name}`, command.words);
  }
  const { json = false, ...options } = Object.fromEntries(found);
  return { options, words, json: json === true, help: false };
}

/** Gives options that may stand alone the value that they then have. */
function withBareValues(specs: readonly OptionSpec[], args: readonly string[]): string[] {
  const end = args.indexOf("--");
  const bare = new Map<string, string>(
    specs.flatMap((spec) => (spec.bare === undefined ? [] : [[`--${spec.name}`, spec.bare] as const])),
  );
  return args.map((arg, index) => {
    const value = end !== -1 && index > end ? undefined : bare.get(arg);
    const next = args[index + 1];
    return value === undefined || (next !== undefined && !next.startsWith("-")) ? arg : `${arg}=${value}`;
  });
}

interface OptionToken {
  readonly rawName: string;
  readonly value: string | undefined;
  readonly inlineValue: boolean | undefined;
}

function valueOf(spec: OptionSpec, token: OptionToken): string | true {
  if (spec.value === undefined) {
    if (token.value !== undefined) throw new UsageError(`--${spec.name} takes no value`);
    return true;
  }
  const { value } = token;
  // "-" alone stands for standard input; anything else with a dash is an option whose predecessor lacks its value.
  const swallowed = token.inlineValue !== true && value !== undefined && /^-./.test(value);
  if (value === undefined || value === "" || swallowed) {
    throw new UsageError(
      `--${spec.name} needs a value: --${spec.name} ${spec.value}`,
      swallowed ? `write --${spec.name}=${value} if ${value} is meant` : undefined,
    );
  }
  if (spec.words !== undefined && !spec.words.includes(value))
    throw unknownWord(value, `a value of --${spec.name}`, spec.words);
  return value;
}

function unknownOption(rawName: string, specs: readonly OptionSpec[], command: string): UsageError {
  const names = specs.flatMap(({ name, short }) => (short === undefined ? [`--${name}`] : [`--${name}`, `-${short}`]));
  const near = rawName.startsWith("--") ? nearest(rawName, names) : undefined;
  return new UsageError(
    `${command} has no option ${rawName}`,
    near === undefined ? `its options are ${names.join(", ")}` : `did you mean ${near}?`,
  );
}

/** The complaint about a word out of a fixed list, with the one that was probably meant. */
export function unknownWord(word: string, what: string, known: readonly string[]): UsageError {
  const near = nearest(word, known);
  return new UsageError(
    `${word} is not ${what}`,
    near === undefined ? `known: ${known.join(", ")}` : `did you mean ${near}?`,
  );
}
