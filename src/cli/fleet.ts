/** `imds-guard fleet`: IMDSv2 everywhere: found, planned, applied, undone and kept, through the AWS SDK. */
import { ACCOUNTS_OPTION } from "./account-list.js";
import type { Command } from "./command.js";
import { UsageError } from "./command.js";

const WORDS = ["audit", "plan", "apply", "undo", "permissions", "keep"] as const;

export const command: Command = {
  name: "fleet",
  summary: "find, plan and enforce IMDSv2 over regions and accounts",
  usage: "audit|plan|apply PLAN|undo FILE|permissions|keep [OPTIONS]",
  words: WORDS,
  description: [
    "audit asks EC2, Auto Scaling, CloudWatch and IAM what allows version 1 of IMDS and what still uses it. Each instance is fine (tokens are required, or the endpoint is off), excepted (by its tag), unknown (CloudWatch could not be asked, or has no data point: that is not zero calls), used (with the number of calls, and the last), or safe to enforce. Below them: launch templates, launch configurations, Auto Scaling groups, images of one's own, account defaults, and instance roles without a condition on ec2:RoleDelivery. A region or account that is denied or throttled is said and ends nothing else.",
    "--evidence names the programs: access logs and reports of imds-guard gateway, traces of aws-imds-packet-analyzer, CloudTrail with ec2RoleDelivery. Where nothing in a file tells of which instance it is, write INSTANCE=FILE.",
    "plan writes what would change, and why the rest would not: first templates and defaults, then the instances that are safe. apply does exactly that: it reads the state again, refuses a plan that is older than it, asks (or --yes), writes an undo file beside the plan before the first change, verifies each change, and goes on where it was interrupted. undo brings back the state from before. permissions prints the IAM policies, for looking and for changing apart. keep writes a bundle that keeps new instances so: a Lambda function as CloudFormation and Terraform, and policies of the organization.",
    "Credentials come through the guard. In accounts other than their own the role of --role is taken. The AWS SDK's clients have to be installed beside imds-guard; the command names those that are missing.",
    "With --json, audit prints one document: instances (instanceId, accountId, region, verdict, calls, last and more), the other lists, gaps, summary.",
  ],
  options: [
    { name: "regions", value: "LIST", multiple: true, summary: "regions, comma-separated, or all (default)" },
    { ...ACCOUNTS_OPTION, summary: "accounts (ids or @FILE); default that of the credentials" },
    { name: "role", value: "NAME", summary: "role to take in the other accounts" },
    { name: "days", value: "N", summary: "days in which calls count; default 14" },
    { name: "exception", value: "KEY=VALUE", summary: "tag of what is left alone; default IMDS=v1" },
    {
      name: "evidence",
      value: "FILE",
      multiple: true,
      summary: "log that names programs; INSTANCE=FILE where it tells no instance",
    },
    { name: "html", value: "FILE", summary: "audit: also write a page that can be sorted, and asks no network" },
    { name: "csv", value: "FILE", summary: "audit: also write the instances as CSV" },
    { name: "all", summary: "audit: list the instances that are fine, too" },
    { name: "out", value: "PATH", summary: "plan: the file to write; keep: the folder" },
    { name: "yes", short: "y", summary: "apply, undo: do not ask" },
    { name: "rate", value: "N", summary: "apply, undo: most changes in a second; default 5" },
    { name: "partition", value: "NAME", summary: "permissions, keep: partition of AWS; default aws" },
    { name: "profile", short: "p", value: "NAME", summary: "shared config profile" },
  ],
  exitCodes: [
    ["0", "fine or excepted; done"],
    ["1", "something is to do"],
    ["2", "wrong usage; nothing was done"],
    ["3", "a region, account or permission was missing and nothing was found; not done"],
  ],
  examples: [
    { command: "imds-guard fleet audit --regions eu-central-1,eu-west-1", does: "one account" },
    {
      command: "imds-guard fleet audit --accounts 111122223333,444455556666 --role audit --html fleet.html",
      does: "an organization, as a page",
    },
    { command: "imds-guard fleet plan --out plan.json", does: "see what would change" },
    { command: "imds-guard fleet apply plan.json", does: "change it" },
    { command: "imds-guard fleet undo plan.undo.json", does: "and back" },
  ],
  async run(context) {
    const [word, ...rest] = context.words;
    const files = word === "apply" || word === "undo" ? 1 : 0;
    if (word === undefined) throw new UsageError("fleet needs a word", `one of ${WORDS.join(", ")}`);
    if (rest.length !== files)
      throw new UsageError(
        files === 0 ? `fleet ${word} takes no words, and got ${rest[0]}` : `fleet ${word} takes one file`,
      );
    switch (word as (typeof WORDS)[number]) {
      case "audit":
        return (await import("./fleet-audit.js")).runAudit(context);
      case "plan":
        return (await import("./fleet-change.js")).runPlan(context);
      case "apply":
        return (await import("./fleet-change.js")).runApply(context, rest[0] as string);
      case "undo":
        return (await import("./fleet-change.js")).runUndo(context, rest[0] as string);
      case "permissions":
        return (await import("./fleet-keep.js")).runPermissions(context);
      case "keep":
        return (await import("./fleet-keep.js")).runKeep(context);
    }
  },
};
