/** `imds-guard man`: the manual page, made from the definitions of the commands. */
import type { Command, OptionSpec } from "./command.js";
import { UsageError } from "./command.js";
import { EXIT_CODES, optionText, SUMMARY } from "./help.js";
import { COMMON_OPTIONS } from "./parse.js";

export const command: Command = {
  name: "man",
  summary: "print the manual page",
  usage: "",
  description: ['Prints the manual page in the language of man(7). With --json it is the member "roff" of an object.'],
  options: [],
  examples: [{ command: "imds-guard man | man -l -", does: "read it" }],
  async run({ words, json, ui, commands }) {
    if (words.length > 0) throw new UsageError("man takes no words");
    const roff = manualPage(await commands.loadAll());
    if (json) ui.json({ roff });
    else ui.line(roff);
    return 0;
  },
};

/** The page as roff, macros of man(7) only. */
export function manualPage(commands: readonly Command[]): string {
  return [
    '.TH IMDS-GUARD 1 "" imds-guard "User Commands"',
    ".SH NAME",
    text(`imds-guard - ${SUMMARY}`),
    ".SH SYNOPSIS",
    ".B imds-guard",
    text("COMMAND [OPTIONS]"),
    ".SH DESCRIPTION",
    text(
      "Results go to standard output, everything said about the work to standard error. On a terminal there is colour, unless NO_COLOR is set. Nothing needs root; what only root can see is named where it was not seen.",
    ),
    ".SH OPTIONS OF EVERY COMMAND",
    ...COMMON_OPTIONS.flatMap(item),
    ".SH COMMANDS",
    ...commands.flatMap(section),
    ".SH EXIT STATUS",
    ...EXIT_CODES.flatMap(([code, meaning]) => [".TP", bold(code), text(meaning)]),
    ".SH SEE ALSO",
    text("https://aws.amazon.com/security/security-bulletins/AWS-2025-021/"),
  ].join("\n");
}

function section({ name, summary, usage, description, options, examples }: Command): string[] {
  return [
    `.SS ${text(`${name} ${usage}`.trimEnd())}`,
    text(`${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`),
    ...description.flatMap((paragraph) => [".PP", text(paragraph)]),
    ...options.flatMap(item),
    ...examples.flatMap(({ command: line, does }) => [
      ".PP",
      text(`${does}:`),
      ".PP",
      ".RS 4",
      ".nf",
      text(line),
      ".fi",
      ".RE",
    ]),
  ];
}

function item(option: OptionSpec): string[] {
  const { name, short, value } = option;
  return [
    ".TP",
    bold(`${short === undefined ? "" : `-${short}, `}--${name}${value === undefined ? "" : ` ${value}`}`),
    text(optionText(option)),
  ];
}

function bold(word: string): string {
  return `.B ${text(word)}`;
}

/** Text that roff prints as it stands: hyphens to be copied, no escapes, no line taken for a request. */
function text(plain: string): string {
  return plain
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(/^([.'])/gm, "\\&$1");
}
