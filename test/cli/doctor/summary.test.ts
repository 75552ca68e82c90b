/** The first lines of doctor's page, as a terminal shows them. */
import { expect, test } from "vitest";
import { printSummary } from "../../../src/cli/doctor.js";
import { createUi } from "../../../src/cli/ui.js";

function shown(next: string): readonly string[] {
  let out = "";
  const stream = (write: (text: string) => void) => ({ isTTY: true, columns: 40, write });
  const ui = createUi({ stdout: stream((text) => (out += text)), stderr: stream(() => {}), env: { NO_COLOR: "1" } });
  printSummary({ verdict: "not-ec2", worst: undefined, next }, ui);
  return out.split("\n");
}

test("what to do next fits the terminal, and breaks no word", () => {
  const lines = shown("trace the station with that address, and ask whoever owns it");
  expect(lines.slice(2, 5)).toEqual([
    "next     trace the station with that",
    "         address, and ask whoever owns",
    "         it",
  ]);
});

test("a command stays whole on its line, to be pasted", () => {
  const command = "$ ip address show | grep -B3 -F 169.254.169.254";
  expect(shown(command)[2]).toBe(`next     ${command}`);
});
