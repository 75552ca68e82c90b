/** `imds-guard help`: the same pages as `--help`. */
import type { Command } from "./command.js";
import { UsageError } from "./command.js";
import { commandHelp, EXIT_CODES, programHelp, SUMMARY } from "./help.js";
import { optionsOf } from "./parse.js";

export const command: Command = {
  name: "help",
  summary: "explain a command",
  usage: "[COMMAND]",
  description: [
    "Prints the help on a command, or on the whole program. With --json, the definitions of all commands that help, completion and man page are made from.",
  ],
  options: [],
  examples: [{ command: "imds-guard help doctor", does: "explain doctor" }],
  async run({ words, json, ui, commands }) {
    if (words.length > 1) throw new UsageError("help explains one command at a time");
    const [name] = words;
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

function definitionOf(described: Command): object {
  const { name, summary, usage, words, description, examples } = described;
  return { name, summary, usage, words, description, options: optionsOf(described), examples };
}
