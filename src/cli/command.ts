/** The shape of every command: what `--help`, completion and man page are made from, and what runs. */
import type { System } from "../base/system.js";
import type { Ui } from "./ui.js";

/** 0: fine. 1: a finding. 2: wrong usage. 3: could not tell. */
export type ExitCode = 0 | 1 | 2 | 3;

/** One `--option` of a command. */
export interface OptionSpec {
  /** Long name without dashes. */
  readonly name: string;
  /** One letter, without the dash. */
  readonly short?: string;
  /** Placeholder of its value (`DIR`, `N`); absent for a switch. */
  readonly value?: string;
  /** What it says where it stands without a value. */
  readonly bare?: string;
  /** May be given more than once. */
  readonly multiple?: boolean;
  /** Allowed words, where there are few; completion offers them. */
  readonly words?: readonly string[];
  /** One line, lower-case, no full stop. */
  readonly summary: string;
}

/** Parsed options by long name: text, texts, or true for a switch. */
export type OptionValues = Readonly<Record<string, string | readonly string[] | true | undefined>>;

/** What a command runs with. */
export interface CommandContext {
  readonly options: OptionValues;
  /** Words that are no options; behind `--` everything. */
  readonly words: readonly string[];
  /** Whether `--json` was given: every command has it. */
  readonly json: boolean;
  readonly ui: Ui;
  readonly system: System;
  /** Aborted by SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
  readonly commands: CommandList;
}

/** One command of `imds-guard`. */
export interface Command {
  readonly name: string;
  /** One line, lower-case, no full stop. */
  readonly summary: string;
  /** How it is called behind `imds-guard NAME`: `[OPTIONS] FILE...`. */
  readonly usage: string;
  /** What its first word has to be, where there are few choices; completion offers them. */
  readonly words?: readonly string[];
  /** Paragraphs for `--help` and the man page. */
  readonly description: readonly string[];
  readonly options: readonly OptionSpec[];
  readonly examples: readonly { readonly command: string; readonly does: string }[];
  /** Where they are not those of the program. */
  readonly exitCodes?: readonly (readonly [code: string, meaning: string])[];
  /** Loaded when the command is run. */
  readonly run: (context: CommandContext) => Promise<ExitCode>;
}

/** All commands, for those that speak of the others: help, completion and the manual page. */
export interface CommandList {
  /** Loads one. @throws UsageError where there is none of that name */
  readonly load: (name: string) => Promise<Command>;
  /** Loads all, in the order of the help. */
  readonly loadAll: () => Promise<readonly Command[]>;
}

/** A call that cannot be understood: shown with the usage line, exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  /** What to write instead. */
  readonly hint: string | undefined;
  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

/**
 * Runs work on what the user wrote; a value that it refuses as an argument is wrong usage.
 * @throws UsageError
 */
export function fromUser<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === "ERR_INVALID_ARG_VALUE"
      ? new UsageError((error as Error).message.replace(/ \[ERR_INVALID_ARG_VALUE\]$/, ""))
      : error;
  }
}

/** The values of an option that may be repeated. */
export function textsOf(options: OptionValues, name: string): readonly string[] {
  const value = options[name];
  return Array.isArray(value) ? (value as readonly string[]) : [];
}
