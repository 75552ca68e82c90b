/** `imds-guard fleet permissions`: the policies that the other words need. */
import { printable } from "../base/text.js";
import { fleetPolicies } from "../fleet/permissions.js";
import type { CommandContext, ExitCode } from "./command.js";
import { UsageError } from "./command.js";
import { listOf, roleOf, textOf } from "./fleet-options.js";

/** `imds-guard fleet permissions`. */
export function runPermissions({ options, ui, json }: CommandContext): Promise<ExitCode> {
  const partition = textOf(options["partition"]) ?? "aws";
  if (!/^aws(?:-[a-z]+)*$/.test(partition))
    throw new UsageError(`--partition is ${printable(partition)}; allowed: names such as aws, aws-cn, aws-us-gov`);
  const policies = fleetPolicies(partition, roleOf(options["role"]), listOf(options, "accounts"));
  if (json) ui.json(policies);
  else {
    const told = [
      ["for fleet audit and fleet plan, which only read", policies.audit],
      ["for fleet apply and fleet undo, beside the other", policies.apply],
      ["for whoever takes the role in the accounts", policies.caller],
    ] as const;
    for (const [title, document] of told) {
      if (document === undefined) continue;
      ui.line(ui.paint(`# ${title}`, "strong"));
      ui.line(JSON.stringify(document, undefined, 2));
    }
  }
  return Promise.resolve(0);
}
