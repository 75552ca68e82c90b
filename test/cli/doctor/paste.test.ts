/** Lines of `doctor` that can be pasted mean the same to a shell, whatever a stranger wrote into what they show. */
import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { hopLimitCommand } from "../../../src/cli/doctor/answers.js";
import type { Check, Machine } from "../../../src/cli/doctor/check.js";
import { judgeNames } from "../../../src/cli/doctor/names.js";
import { judgeEnvironment } from "../../../src/cli/doctor/settings.js";
import { fc } from "../../support/properties.js";

const hostile = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        "$(echo ran >&2)",
        "`echo ran >&2`",
        "'",
        '"',
        "\\",
        ";echo ran >&2;",
        "\n",
        "&",
        "|",
        "<x",
        ">y",
      ),
      fc.constantFrom("${HOME}", "localhost", ",", ".", " ", "\u202e", "\u00e9", "\u001b", "!", "#", "~", "=", "$'"),
      fc.string({ maxLength: 4 }),
    ),
    { maxLength: 8 },
  )
  // What no variable of an environment can hold.
  .map((parts) =>
    parts
      .join("")
      .replaceAll("\0", "")
      .replace(/\p{Cs}/gu, ""),
  );
const HOST = { verdict: "not-ec2", instanceId: undefined } as unknown as Machine["host"];
const machine = (instanceId?: string): Machine =>
  ({ host: { ...HOST, ...(instanceId !== undefined && { instanceId }) } }) as Machine;

const pasteable = (checks: readonly Check[]): string[] =>
  checks.flatMap(({ advice = [] }) => advice.filter((line) => line.startsWith("$ ")).map((line) => line.slice(2)));

/** Runs a line with `printf` in the place of its program. */
const runAs = (line: string, program: string): readonly string[] => {
  const script = `${program}() { printf '%s\\0' "$@"; }; PATH=/nowhere; ${line}`;
  const { stdout, stderr, status } = spawnSync("bash", ["--norc", "-c", script], { encoding: "utf8", cwd: "/" });
  expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
  return stdout.split("\0").slice(0, -1);
};

test("NO_PROXY", () => {
  fc.assert(
    fc.property(hostile, (exempt) => {
      const checks = judgeEnvironment({ HTTP_PROXY: "http://proxy:3128", NO_PROXY: exempt }, machine());
      const [line, ...others] = pasteable(checks).filter((text) => text.includes("NO_PROXY"));
      if (line === undefined) return;
      expect(others).toEqual([]);
      const [value] = runAs(`${line}; show "$NO_PROXY"`, "show");
      const kept = exempt.split(/[\s,]+/).filter((entry) => entry !== "");
      expect(value).toBe([...kept, "169.254.169.254", "[fd00:ec2::254]"].join(","));
    }),
    { numRuns: 20 },
  );
});

test("names and ids", () => {
  fc.assert(
    fc.property(hostile, (text) => {
      const [line = ""] = pasteable(judgeNames([{ name: text, addresses: ["203.0.113.1"] }], machine()));
      expect(runAs(line, "dig")).toEqual([text]);
      expect(runAs(hopLimitCommand(machine(text)).slice(2), "aws")[3]).toBe(text);
    }),
    { numRuns: 15 },
  );
});
