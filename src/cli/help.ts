/** What `--help` prints, made from the definitions of the commands. */
import type { Command, OptionSpec } from "./command.js";
import { COMMON_OPTIONS, optionsOf } from "./parse.js";
import { layOut, wrap } from "./ui.js";

/** One sentence on the whole program. */
export const SUMMARY = "tells where this host is, who answers as its EC2 metadata service, and who would believe it";

/** Meaning of the exit codes. */
export const EXIT_CODES: readonly (readonly [code: string, meaning: string])[] = [
  ["0", "fine"],
  ["1", "a finding"],
  ["2", "wrong usage; nothing was done"],
  ["3", "could not tell, or could not be done"],
];

const INDENT = "    ";
/** Lines longer than this are hard to read, however wide the terminal. */
const WIDEST = 100;

type Paint = (text: string) => string;
type Rows = readonly (readonly string[])[];

/** Help on the whole program. */
export function programHelp(commands: readonly Command[], columns: number, title: Paint): string {
  const page = pageOf(columns, title);
  return [
    ...page.text(`imds-guard ${SUMMARY}.`),
    "",
    ...page.section("Usage", page.verbatim(["imds-guard COMMAND [OPTIONS]", "imds-guard help COMMAND"])),
    ...page.section("Commands", page.rows(commands.map(({ name, summary }) => [name, summary]))),
    ...page.section("Options", page.rows([...optionRows(COMMON_OPTIONS), ["    --version", "print the version"]])),
    ...page.section("Exit codes", page.rows(EXIT_CODES)),
    ...page.section("First steps", page.verbatim(["imds-guard detect --explain", "imds-guard doctor"])),
  ]
    .join("\n")
    .trimEnd();
}

/** Help on one command. */
export function commandHelp(command: Command, columns: number, title: Paint): string {
  const page = pageOf(columns, title);
  const examples = command.examples.flatMap(({ command: line, does }) => [
    ...page.verbatim(page.text(`${does}:`)),
    ...page.shell(line),
  ]);
  return [
    ...page.text(`imds-guard ${command.name}: ${command.summary}`),
    "",
    ...page.section("Usage", page.usage(`imds-guard ${command.name}`, command.usage)),
    ...command.description.flatMap((paragraph) => [...page.text(paragraph), ""]),
    ...page.section("Options", page.rows(optionRows(optionsOf(command)))),
    ...page.section("Exit codes", page.rows(command.exitCodes ?? EXIT_CODES)),
    ...(command.examples.length > 0 ? page.section("Examples", examples) : []),
  ]
    .join("\n")
    .trimEnd();
}

function pageOf(columns: number, title: Paint) {
  const width = Math.min(columns, WIDEST);
  return {
    text: (paragraph: string): string[] => wrap(paragraph, width - INDENT.length),
    verbatim: (lines: readonly string[]): string[] => lines.map((line) => INDENT + line),
    /** Broken between options, never within one. */
    usage: (name: string, usage: string): string[] => {
      const [first = "", ...more] = wrapParts(
        usage.match(/\[[^\]]*\](?:\.{3})?|\S+/g) ?? [],
        width - INDENT.length - name.length - 1,
      );
      return [
        `${INDENT}${name} ${first}`.trimEnd(),
        ...more.map((line) => INDENT + " ".repeat(name.length + 1) + line),
      ];
    },
    /** Broken as a shell takes it, so that it can be pasted: behind a backslash, and never within quotes. */
    shell: (command: string): string[] => {
      const lines = wrapParts(command.match(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g) ?? [], width - INDENT.length * 4);
      return lines.map(
        (line, index) =>
          INDENT + INDENT + (index === 0 ? "" : INDENT) + line + (index === lines.length - 1 ? "" : " \\"),
      );
    },
    rows: (rows: Rows): string[] => layOut(rows, width - INDENT.length).map((line) => INDENT + line),
    section: (name: string, lines: readonly string[]): string[] => [title(`${name}:`), ...lines, ""],
  };
}

/** Parts as lines of at most `width` characters; a longer part has a line of its own. */
function wrapParts(parts: readonly string[], width: number): string[] {
  const lines: string[] = [];
  for (const part of parts) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + part.length <= width) lines[lines.length - 1] = `${last} ${part}`;
    else lines.push(part);
  }
  return lines;
}

/** `-h, --help` and `--root DIR`, each with what it does. */
export function optionRows(options: readonly OptionSpec[]): Rows {
  return options.map((option) => [
    `${option.short === undefined ? "    " : `-${option.short}, `}--${option.name}${option.value === undefined ? "" : ` ${option.value}`}`,
    optionText(option),
  ]);
}

/** The summary of an option with its allowed words. */
export function optionText({ summary, words, multiple }: OptionSpec): string {
  return `${summary}${words === undefined ? "" : `: ${words.join(", ")}`}${multiple === true ? " (may be repeated)" : ""}`;
}
