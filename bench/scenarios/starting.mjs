// @ts-check
/** What a start of the command costs, beside a program of Node.js that does nothing; and of the single executable. */
import { existsSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { canUnshare, createMachine } from "../../test/support/machine.mjs";
import { ratioAtMost } from "../figures.mjs";
import { inTurns } from "../packages.mjs";

const CLI = fileURLToPath(new URL("../../dist/cli.cjs", import.meta.url));
const BINARY = fileURLToPath(new URL("../../dist-binary/imds-guard", import.meta.url));
const EMPTY = fileURLToPath(new URL("../clients/empty.cjs", import.meta.url));

/** Off EC2, with nobody at the address; at most so many times an empty program. */
const CALLS = /** @type {const} */ ([
  [["--version"], 1.3],
  [["exec", "--", "true"], 2.5],
  [["credential-process"], 2.5],
]);

/** @param {import("../figures.mjs").Extent} extent @returns {Promise<import("../figures.mjs").Section>} */
export async function starting({ short }) {
  if (!canUnshare().ok) return { title: "Starting the command: not measured, no namespaces here", rows: [] };
  const machine = await createMachine({ host: "laptop", network: "none" });
  const env = { NO_COLOR: "1", IMDS_GUARD_PROBE: "off", IMDS_GUARD_LOG: "off" };
  const built = existsSync(BINARY);
  const time = async (/** @type {number[]} */ samples, /** @type {readonly string[]} */ command) => {
    const [node = "", program = "", ...args] = command;
    samples.push((await machine.run(program, { node, args, env })).ms);
  };
  try {
    const rows = CALLS.map(([args, most]) => ({
      args,
      most,
      empty: /** @type {number[]} */ ([]),
      program: /** @type {number[]} */ ([]),
      binary: /** @type {number[]} */ ([]),
    }));
    await inTurns(
      short ? 5 : 15,
      rows.flatMap(({ args, empty, program, binary }) => [
        () => time(empty, ["/usr/bin/env", process.execPath, EMPTY]),
        () => time(program, ["/usr/bin/env", process.execPath, CLI, ...args]),
        ...(built ? [() => time(binary, ["/usr/bin/env", BINARY, ...args])] : []),
      ]),
    );
    const size = built ? `${(statSync(BINARY).size / 1e6).toFixed(1)} MB` : "";
    return {
      title: "Starting the command (beside an empty program; the single executable beside node dist/cli.cjs)",
      rows: rows.flatMap(({ args, most, empty, program, binary }) => [
        { what: args.join(" "), unit: "ms", ours: program, stock: empty, goals: [ratioAtMost(most)] },
        ...(built
          ? [
              {
                what: `${args.join(" ")}, executable of ${size}`,
                unit: "ms",
                ours: binary,
                stock: program,
                goals: [ratioAtMost(1.1)],
              },
            ]
          : []),
      ]),
    };
  } finally {
    await machine.close();
  }
}
