/** `imds-guard fleet permissions` and `imds-guard fleet keep`: what is written and asks nothing of AWS. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { printable } from "../base/text.js";
import { fleetPolicies } from "../fleet/permissions.js";
import { accountsOf } from "./account-list.js";
import type { CommandContext, ExitCode } from "./command.js";
import { UsageError } from "./command.js";
import { roleOf, scopeOf, textOf } from "./fleet-options.js";

/** `imds-guard fleet permissions`. */
export function runPermissions({ options, ui, json }: CommandContext): Promise<ExitCode> {
  const policies = fleetPolicies(partitionOf(options), roleOf(options["role"]), accountsOf(options) ?? []);
  if (json) ui.json(policies);
  else {
    const documents = [
      ["for fleet audit and fleet plan, which only read", policies.audit],
      ["for fleet apply and fleet undo, beside the other", policies.apply],
      ["for whoever takes the role in the accounts", policies.caller],
    ] as const;
    for (const [title, document] of documents) {
      if (document === undefined) continue;
      ui.line(ui.paint(`# ${title}`, "strong"));
      ui.line(JSON.stringify(document, undefined, 2));
    }
  }
  return Promise.resolve(0);
}

/** `imds-guard fleet keep`. */
export async function runKeep({ options, ui, json }: CommandContext): Promise<ExitCode> {
  const out = textOf(options["out"]);
  if (out === undefined) throw new UsageError("fleet keep writes a folder", "give --out FOLDER");
  const { exceptionTag, days } = scopeOf(options);
  const { keepBundle } = await import("../fleet/keep.js");
  const partition = partitionOf(options);
  const files = keepBundle({ partition, exceptionTag, days });
  mkdirSync(out, { recursive: true });
  const taken = files.find(({ path }) => existsSync(join(out, path)));
  if (taken !== undefined) {
    ui.error(`${join(out, taken.path)} is there already`, ["nothing was written; name a folder that is empty"]);
    return 3;
  }
  for (const { path, text } of files) writeFileSync(join(out, path), text, { flag: "wx" });
  if (json) ui.json({ folder: out, files: files.map(({ path }) => path) });
  else for (const { path } of files) ui.line(join(out, path));
  return 0;
}

function partitionOf(options: CommandContext["options"]): string {
  const partition = textOf(options["partition"]) ?? "aws";
  if (/^aws(?:-[a-z]+)*$/.test(partition)) return partition;
  throw new UsageError(`--partition is ${printable(partition)}; allowed: names such as aws, aws-cn, aws-us-gov`);
}
