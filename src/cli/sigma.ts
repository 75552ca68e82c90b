/** `imds-guard sigma`: the detection rules as they go into a SIEM. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ShippedRule, SigmaRule } from "../detection/sigma-rule.js";
import { ACCOUNTS_OPTION, accountsOf } from "./account-list.js";
import type { Command, CommandContext } from "./command.js";
import { fromUser, textsOf, UsageError } from "./command.js";
import { unknownWord } from "./parse.js";
import { SUPPRESSION_OPTIONS, suppressionOf } from "./suppression-options.js";
import type { Ui } from "./ui.js";

export const command: Command = {
  name: "sigma",
  summary: "list, print or write the Sigma rules for a SIEM",
  usage: "list | print [RULE...] | write DIR",
  words: ["list", "print", "write"],
  description: [
    "The rules find traffic to the EC2 metadata service, and whoever plays it, in network, proxy, DNS, web server, process and CloudTrail logs. RULE is a file name without .yml, as list shows it.",
    "With --suppress and --vlan the rules leave out networks that do have EC2 instances. write replaces no file that differs unless --force is given; it puts the correlations into DIR/correlations as *.yaml, where a converter that knows none does not meet them (sigma convert --file-pattern '*.y*ml' takes them, too).",
    "With --accounts there are rules, too, on what is of accounts that are not listed: signatures and presigned URLs in proxy and application logs, names of hosts, principals at VPC endpoints, and correlations with requests to the metadata address. The patterns of your accounts are filled in; over 256 accounts a rule is split into several that judge a part each. write then writes a script for Zeek and rules for Suricata, too: they log key id and host of what is not listed, and no signature, as long as the alerts of Suricata leave out the URL (app-layer: false).",
    "With --json: list and print give rules (file, rule), write gives written and unchanged.",
  ],
  options: [
    ...SUPPRESSION_OPTIONS,
    { ...ACCOUNTS_OPTION, summary: "accounts of your own (ids or @FILE): adds rules on what is of others" },
    {
      name: "certificate",
      value: "SUBJECT",
      multiple: true,
      summary: "source identity of a Roles Anywhere session that is known (CN=...), for a rule on all others",
    },
    { name: "force", summary: "replace files that differ (write)" },
  ],
  examples: [
    { command: "imds-guard sigma list", does: "what there is" },
    {
      command: "imds-guard sigma write rules --suppress 10.20.0.0/16",
      does: "files for a converter, for a site whose EC2 hosts are in that network",
    },
    {
      command: "imds-guard sigma write rules --accounts @ours.txt",
      does: "also the rules on strangers' accounts, with the patterns of yours filled in",
    },
    { command: "imds-guard sigma print zeek_http_imds_request", does: "one rule" },
  ],
  async run(context) {
    const [verb, ...words] = context.words;
    // Once: the list may come from a pipe.
    const accounts = accountsOf(context.options);
    const rules = await shippedRules(context, accounts);
    switch (verb) {
      case "list":
        if (words.length > 0) throw new UsageError("sigma list takes no further words", "sigma print RULE prints one");
        return list(rules, context);
      case "print":
        return print(words.length === 0 ? rules : words.map((word) => ruleNamed(word, rules)), context);
      case "write":
        if (words.length !== 1) throw new UsageError("sigma write needs one directory");
        return write(words[0] as string, rules, accounts, context);
      default:
        throw new UsageError("sigma needs list, print or write");
    }
  },
};

async function shippedRules(
  { options }: CommandContext,
  accounts: readonly string[] | undefined,
): Promise<readonly ShippedRule[]> {
  const suppression = suppressionOf(options);
  const certificates = textsOf(options, "certificate");
  if (accounts === undefined && certificates.length > 0) throw new UsageError("--certificate goes with --accounts");
  const [{ SIGMA_RULES }, { withSuppression }] = await Promise.all([
    import("../detection/sigma-rules.js"),
    import("../detection/suppression.js"),
  ]);
  const rules = [...SIGMA_RULES];
  if (accounts !== undefined) {
    const { accountRules } = await import("../detection/account-rules.js");
    rules.push(...fromUser(() => accountRules({ accounts, ...(certificates.length > 0 && { certificates }) })));
  }
  return fromUser(() => rules.map(({ file, rule }) => ({ file, rule: withSuppression(rule, suppression) })));
}

function ruleNamed(word: string, rules: readonly ShippedRule[]): ShippedRule {
  const name = word.replace(/\.yml$/, "");
  const found = rules.find(({ file, rule }) => file === name || rule.id === name);
  if (found === undefined)
    throw unknownWord(
      word,
      "a rule",
      rules.map(({ file }) => file),
    );
  return found;
}

function list(rules: readonly ShippedRule[], { json, ui }: CommandContext): 0 {
  if (json) {
    ui.json({ rules });
    return 0;
  }
  // The name of a rule begins with its log, so a narrow terminal can do without that column.
  const wide = !ui.terminal || ui.columns >= WIDE;
  const row = (level: string, file: string, log: string, title: string): string[] => [
    level,
    file,
    ...(wide ? [log] : []),
    title,
  ];
  ui.table([
    row("LEVEL", "RULE", "LOG", "FINDS").map((title) => ui.paint(title, "strong")),
    ...rules.map(({ file, rule }) => row(levelText(rule, ui), file, sourceOf(rule), rule.title)),
  ]);
  return 0;
}

const WIDE = 150;

function levelText({ level }: SigmaRule, ui: Ui): string {
  return level === "critical" || level === "high" ? ui.paint(level, "finding") : level;
}

function sourceOf(rule: SigmaRule): string {
  if (!("logsource" in rule)) return "(correlation)";
  const { product, category, service } = rule.logsource;
  return [product, category, service].filter((part) => part !== undefined).join("/");
}

async function print(rules: readonly ShippedRule[], { json, ui }: CommandContext): Promise<0> {
  const { toYaml } = await import("../detection/sigma-yaml.js");
  if (json) ui.json({ rules });
  else ui.line(rules.map(({ rule }) => toYaml(rule).trimEnd()).join("\n---\n"));
  return 0;
}

/** Below the folder of the rules. */
const CORRELATIONS = "correlations";

async function write(
  directory: string,
  rules: readonly ShippedRule[],
  accounts: readonly string[] | undefined,
  { json, ui, options }: CommandContext,
): Promise<0> {
  const { toYaml } = await import("../detection/sigma-yaml.js");
  const files = rules.map(({ file, rule }) => ({
    // A converter reads a folder with all below it and takes `*.yml`: one that knows no correlations must not meet them.
    path: "correlation" in rule ? join(directory, CORRELATIONS, `${file}.yaml`) : join(directory, `${file}.yml`),
    content: toYaml(rule),
  }));
  if (accounts !== undefined) {
    const { suricataRules, zeekScript } = await import("../detection/account-sensors.js");
    files.push({ path: join(directory, "imds-guard-accounts.zeek"), content: zeekScript(accounts) });
    files.push({ path: join(directory, "imds-guard-accounts.rules"), content: suricataRules(accounts) });
  }
  mkdirSync(join(directory, CORRELATIONS), { recursive: true });
  const changed = files.filter(({ path, content }) => present(path) !== content);
  const differing = changed.filter(({ path }) => present(path) !== undefined).map(({ path }) => path);
  if (differing.length > 0 && options["force"] !== true) {
    throw new UsageError(
      `${differing[0]} is there and differs${differing.length > 1 ? `, as do ${differing.length - 1} more` : ""}; nothing was written`,
      "--force replaces what differs",
    );
  }
  for (const { path, content } of changed) writeFileSync(path, content);
  const unchanged = files.length - changed.length;
  if (json) ui.json({ written: changed.map(({ path }) => path), unchanged });
  else ui.line(`${changed.length} rules written to ${directory}${unchanged > 0 ? `, ${unchanged} there already` : ""}`);
  return 0;
}

function present(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
