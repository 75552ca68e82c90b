/** `imds-guard help`: the same pages as `--help`, and what each error code means. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { OWN_FOLDER } from "../base/own-folder.js";
import type { Command } from "./command.js";
import { UsageError } from "./command.js";
import { commandHelp, EXIT_CODES, programHelp, SUMMARY } from "./help.js";
import { optionsOf, unknownWord } from "./parse.js";
import { wrap } from "./ui.js";

export const command: Command = {
  name: "help",
  summary: "explain a command or an error",
  usage: "[COMMAND | CODE]",
  description: [
    "Prints the help on a command, on an error by its code (ERR_...), or on the whole program. With --json, the definitions of all commands that help, completion and man page are made from.",
  ],
  options: [],
  examples: [
    { command: "imds-guard help doctor", does: "explain doctor" },
    { command: "imds-guard help ERR_IMDS_NOT_EC2", does: "explain an error, and what to do about it" },
  ],
  async run({ words, json, ui, commands }) {
    if (words.length > 1) throw new UsageError("help explains one command at a time");
    const [name] = words;
    if (name !== undefined && /^ERR_/i.test(name)) {
      const section = sectionOn(name.toUpperCase());
      if (json) ui.json(section);
      else ui.line(ui.terminal ? filled(section.text, ui.columns) : section.text);
      return 0;
    }
    const title = (text: string): string => ui.paint(text, "strong");
    if (json) {
      const described = name === undefined ? await commands.loadAll() : [await commands.load(name)];
      ui.json({
        name: "imds-guard",
        summary: SUMMARY,
        exitCodes: Object.fromEntries(EXIT_CODES),
        commands: described.map(definitionOf),
      });
    } else
      ui.line(
        name === undefined
          ? programHelp(await commands.loadAll(), ui.columns, title)
          : commandHelp(await commands.load(name), ui.columns, title),
      );
    return 0;
  },
};

/** Prose and lists filled anew for the width of a terminal; what is fenced stays as it is. */
function filled(text: string, columns: number): string {
  const blocks: { text: string; readonly prose: boolean }[] = [];
  let fenced = false;
  for (const line of text.split("\n")) {
    const fence = line.startsWith("```");
    const prose = !fenced && !fence && !/^(?:#|$)/.test(line);
    if (fence) fenced = !fenced;
    const last = blocks.at(-1);
    if (prose && last?.prose === true && !line.startsWith("- ")) last.text += ` ${line.trimStart()}`;
    else blocks.push({ text: line, prose });
  }
  return blocks
    .flatMap(({ text: block, prose }) => {
      if (!prose) return [block];
      const indent = block.startsWith("- ") ? "  " : "";
      return wrap(block, columns - indent.length).map((line, index) => (index === 0 ? line : `${indent}${line}`));
    })
    .join("\n");
}

function definitionOf(described: Command): object {
  const { name, summary, usage, words, description, examples } = described;
  return { name, summary, usage, words, description, options: optionsOf(described), examples };
}

/** The section of docs/errors.md, which comes with the package. */
function sectionOn(code: string): { readonly code: string; readonly text: string } {
  const page = readFileSync(join(OWN_FOLDER ?? ".", "..", "docs", "errors.md"), "utf8");
  const sections = page.split(/^<a id="/m).slice(1);
  const found = sections.find((section) => section.startsWith(`${code}"`));
  if (found === undefined)
    throw unknownWord(
      code,
      "the code of an error",
      sections.map((section) => section.slice(0, section.indexOf('"'))),
    );
  const [, text = ""] = found.split(/^### .*$/m);
  return { code, text: `${code}\n\n${text.trim()}` };
}
