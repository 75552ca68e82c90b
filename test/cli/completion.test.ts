/** Completion scripts, in the shells that are here. */
import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { command } from "../../src/cli/completion.js";
import { manualPage } from "../../src/cli/man.js";
import { COMMANDS } from "../../src/cli/commands.js";
import { createUi } from "../../src/cli/ui.js";
import { realSystem } from "../../src/base/system.js";

async function scriptOf(shell: string): Promise<string> {
  let out = "";
  const ui = createUi({ stdout: { write: (text) => (out += text) }, stderr: { write: () => undefined }, env: {} });
  await command.run({
    options: {},
    words: [shell],
    json: false,
    ui,
    system: realSystem,
    signal: new AbortController().signal,
    commands: COMMANDS,
  });
  return out;
}

const installed = (shell: string): boolean => spawnSync(shell, ["-c", ":"]).status === 0;

describe.skipIf(!installed("bash"))("bash", () => {
  async function complete(...words: string[]): Promise<string[]> {
    const program = `${await scriptOf("bash")}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _imds_guard; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout, stderr } = spawnSync("bash", ["-c", program, "bash", "imds-guard", ...words], { encoding: "utf8" });
    expect(stderr).toBe("");
    return stdout.split("\n").filter((line) => line !== "");
  }

  it.each([
    [["det"], ["detect"]],
    [["detect", "--ex"], ["--explain"]],
    [
      ["sigma", ""],
      ["list", "print", "write", "backends"],
    ],
    [["help", "doc"], ["doctor"]],
    [
      ["scan", "--format", "zeek"],
      ["zeek-json", "zeek-tsv"],
    ],
    [["detect", "--root", "/us"], ["/usr"]],
    [["doctor", ""], []],
  ])("%j", async (words, expected) => {
    expect(await complete(...words)).toEqual(expected);
  });
});

describe.each(["zsh", "fish"])("%s", (shell) => {
  it.skipIf(!installed(shell))("reads its script", async () => {
    const { status, stderr } = spawnSync(shell, ["-n"], { input: await scriptOf(shell), encoding: "utf8" });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  });

  it("knows every command and option", async () => {
    const script = await scriptOf(shell);
    for (const { name, options } of await COMMANDS.loadAll()) {
      expect(script).toContain(name);
      for (const option of options)
        expect(script).toContain(shell === "fish" ? `-l ${option.name}` : `--${option.name}[`);
    }
  });
});

describe("the manual page", () => {
  it("uses macros of man(7) only, and names every command and option", async () => {
    const commands = await COMMANDS.loadAll();
    const lines = manualPage(commands).split("\n");
    const macros = lines.filter((line) => line.startsWith(".")).map((line) => line.split(" ")[0]);
    expect([...new Set(macros)].sort()).toEqual([".B", ".PP", ".RE", ".RS", ".SH", ".SS", ".TH", ".TP", ".fi", ".nf"]);
    for (const { name, options } of commands) {
      expect(
        lines.some((line) => line.startsWith(`.SS ${name.replaceAll("-", "\\-")}`)),
        name,
      ).toBe(true);
      for (const option of options)
        expect(
          lines.some((line) => line.startsWith(".B ") && line.includes(`\\-\\-${option.name.replaceAll("-", "\\-")}`)),
          option.name,
        ).toBe(true);
    }
  });
});
