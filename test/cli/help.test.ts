/** Help on a terminal: nothing is broken by the terminal itself, and what is there to be pasted stays what it was. */
import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { COMMANDS } from "../../src/cli/commands.js";
import { commandHelp, EXIT_CODES, programHelp } from "../../src/cli/help.js";

const commands = await COMMANDS.loadAll();
const plain = (text: string): string => text;

describe.each([80, 120])("at %i columns", (columns) => {
  it.each(commands.map((command) => [command.name, command] as const))("help on %s fits", (_, command) => {
    const tooLong = commandHelp(command, columns, plain)
      .split("\n")
      .filter((line) => line.length > columns);
    expect(tooLong).toEqual([]);
  });

  it("help on the program fits", () => {
    expect(
      programHelp(commands, columns, plain)
        .split("\n")
        .filter((line) => line.length > columns),
    ).toEqual([]);
  });

  it
    .skipIf(process.platform === "win32")
    .each(commands.flatMap((command) => (command.examples.length === 0 ? [] : [[command.name, command] as const])))(
    "examples of %s can be pasted",
    (_, command) => {
      const { examples } = command;
      // Pipes, redirections and parameters of other shells are words here.
      const wordsOf = (text: string): string =>
        execFileSync("sh", ["-c", `set -f; for word in ${text.trim().replace(/[|>$]/g, "x")}; do echo "$word"; done`], {
          encoding: "utf8",
        });
      const shown = (commandHelp(command, columns, plain).split("Examples:\n")[1] ?? "").split(/^ {4}\S.*:$/m).slice(1);
      expect(shown.map(wordsOf)).toEqual(examples.map((example) => wordsOf(example.command)));
    },
  );
});

it("exit codes are the program's, but for a command that has its own", () => {
  const codesOf = (name: string): string =>
    commandHelp(
      commands.find((command) => command.name === name)!,
      80,
      plain,
    ).split("Exit codes:\n")[1] ?? "";
  for (const [code, meaning] of EXIT_CODES) expect(codesOf("doctor")).toContain(`    ${code}  ${meaning}\n`);
  expect(codesOf("exec")).toMatch(/^ {4}any {2}the program's own/);
  expect(codesOf("exec")).not.toContain("a finding\n");
});
