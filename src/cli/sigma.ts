/** `imds-guard sigma`: the detection rules as they go into a SIEM. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ShippedRule, SigmaRule } from "../detection/sigma-rule.js";
import { ACCOUNTS_OPTION, accountsOf } from "./account-list.js";
import type { Command, CommandContext, OptionValues } from "./command.js";
import { fromUser, textsOf, UsageError } from "./command.js";
import { unknownWord } from "./parse.js";
import { SUPPRESSION_OPTIONS, suppressionOf } from "./suppression-options.js";
import type { Ui } from "./ui.js";

export const command: Command = {
  name: "sigma",
  summary: "list, print or write the Sigma rules for a SIEM",
  usage: "list | print [RULE...] | write DIR | backends",
  words: ["list", "print", "write", "backends"],
  description: [
    "The rules find traffic to the EC2 metadata service, and whoever plays it, in network, proxy, DNS, web server, process and CloudTrail logs. RULE is a file name without .yml, as list shows it.",
    "With --suppress and --vlan the rules leave out networks that do have EC2 instances. write replaces no file that differs unless --force is given. What it leaves in DIR, sigma convert takes as a whole for every back end: correlations, and rules that some back end cannot express, are in folders of their own as *.yaml, which the converter passes over (--file-pattern '*.y*ml' takes them, too).",
    "With --backend, --pipeline or both, DIR has all rules that this back end can express, correlations as well, and no others; backends lists them, with what each leaves out. --pipeline writes the pipelines of our own, cim for Splunk, asim for Microsoft Sentinel, ecs for Elasticsearch and OpenSearch, loki for Grafana Loki and victorialogs for VictoriaLogs, into DIR/pipelines, for sigma convert -p; others are pySigma's.",
    "With --accounts there are rules, too, on what is of accounts that are not listed: signatures and presigned URLs in proxy and application logs, names of hosts, principals at VPC endpoints, and correlations with requests to the metadata address. The patterns of your accounts are filled in; over 256 accounts a rule is split into several that judge a part each. write then writes a script for Zeek and rules for Suricata, too: they log key id and host of what is not listed, and no signature, as long as the alerts of Suricata leave out the URL (app-layer: false).",
    "With --json: list and print give rules (file, rule), write gives written, unchanged and leftOut, backends gives conversions (backend, pipeline, package, without).",
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
    { name: "backend", value: "NAME", summary: "back end of pySigma that DIR is for (write)" },
    {
      name: "pipeline",
      value: "NAME",
      summary: "pipeline that DIR is for: cim, asim, ecs, loki, victorialogs or one of pySigma's (write)",
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
    {
      command: "imds-guard sigma write rules --backend kusto --pipeline asim",
      does: "rules for Microsoft Sentinel, with the pipeline that names its tables",
    },
    { command: "imds-guard sigma print zeek_http_imds_request", does: "one rule" },
  ],
  async run(context) {
    const [verb, ...words] = context.words;
    const astray = ["backend", "pipeline"].find((name) => context.options[name] !== undefined);
    if (astray !== undefined && verb !== "write") throw new UsageError(`--${astray} is for sigma write`);
    if (verb === "backends") return backends(context);
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
        throw new UsageError("sigma needs list, print, write or backends");
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

/** Folders below that of the rules. */
const CORRELATIONS = "correlations";
const NOT_EVERYWHERE = "not-everywhere";
const PIPELINES = "pipelines";

async function backends({ words, json, ui }: CommandContext): Promise<0> {
  if (words.length > 1) throw new UsageError("sigma backends takes no further words");
  const { CONVERSIONS } = await import("../detection/sigma-conversions.js");
  const { SIGMA_RULES } = await import("../detection/sigma-rules.js");
  if (json) {
    ui.json({ conversions: CONVERSIONS });
    return 0;
  }
  const shipped = new Set(SIGMA_RULES.map(({ file }) => file));
  ui.table([
    ["BACKEND", "PIPELINE", "RULES", "LEFT OUT"].map((title) => ui.paint(title, "strong")),
    ...CONVERSIONS.map(({ backend, pipeline, without }) => {
      const left = without.filter((file) => shipped.has(file));
      return [backend, pipeline ?? "-", String(shipped.size - left.length), left.length === 0 ? "-" : leftOut(left)];
    }),
  ]);
  return 0;
}

/** Names that are shown of the rules that a back end does not take. */
const MOST_SHOWN = 3;

function leftOut(files: readonly string[]): string {
  const shown = files.slice(0, MOST_SHOWN).join(", ");
  return files.length > MOST_SHOWN ? `${shown} and ${files.length - MOST_SHOWN} more` : shown;
}

/** A file to be written. */
interface RuleFile {
  readonly path: string;
  readonly content: string;
}

/** What goes into the folder of a back end, and the names of what it cannot express. */
async function filesOf(
  directory: string,
  rules: readonly ShippedRule[],
  options: OptionValues,
): Promise<{ readonly files: RuleFile[]; readonly left: readonly string[] }> {
  const [{ toYaml }, { backendNames, expressibleBy, pipelineNames, pipelineText }] = await Promise.all([
    import("../detection/sigma-yaml.js"),
    import("../detection/sigma-backends.js"),
  ]);
  const backend = options["backend"] as string | undefined;
  const pipeline = options["pipeline"] as string | undefined;
  if (backend !== undefined && !backendNames().includes(backend))
    throw unknownWord(backend, "a back end", backendNames());
  if (pipeline !== undefined && !pipelineNames().includes(pipeline))
    throw unknownWord(pipeline, "a pipeline", pipelineNames());
  const fits = fromUser(() => expressibleBy({ backend, pipeline }));
  const forAll = backend === undefined && pipeline === undefined;
  const files = rules.flatMap(({ file, rule }): RuleFile[] => {
    const content = toYaml(rule);
    const correlation = "correlation" in rule;
    // A converter reads a folder with all below it and takes `*.yml`: what it does not know it must not meet.
    if (forAll && correlation) return [{ path: join(directory, CORRELATIONS, `${file}.yaml`), content }];
    if (fits(file)) return [{ path: join(directory, ...(correlation ? [CORRELATIONS] : []), `${file}.yml`), content }];
    return forAll ? [{ path: join(directory, NOT_EVERYWHERE, `${file}.yaml`), content }] : [];
  });
  const text = pipeline === undefined ? undefined : pipelineText(pipeline);
  if (pipeline !== undefined && text !== undefined)
    files.push({ path: join(directory, PIPELINES, `${pipeline}.yaml`), content: text });
  return { files, left: forAll ? [] : rules.map(({ file }) => file).filter((file) => !fits(file)) };
}

async function write(
  directory: string,
  rules: readonly ShippedRule[],
  accounts: readonly string[] | undefined,
  { json, ui, options }: CommandContext,
): Promise<0> {
  const { files, left } = await filesOf(directory, rules, options);
  if (accounts !== undefined) {
    const { suricataRules, zeekScript } = await import("../detection/account-sensors.js");
    files.push({ path: join(directory, "imds-guard-accounts.zeek"), content: zeekScript(accounts) });
    files.push({ path: join(directory, "imds-guard-accounts.rules"), content: suricataRules(accounts) });
  }
  const changed = files.filter(({ path, content }) => present(path) !== content);
  const differing = changed.filter(({ path }) => present(path) !== undefined).map(({ path }) => path);
  if (differing.length > 0 && options["force"] !== true) {
    throw new UsageError(
      `${differing[0]} is there and differs${differing.length > 1 ? `, as do ${differing.length - 1} more` : ""}; nothing was written`,
      "--force replaces what differs",
    );
  }
  mkdirSync(directory, { recursive: true });
  for (const { path, content } of changed) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
  const unchanged = files.length - changed.length;
  if (json) ui.json({ written: changed.map(({ path }) => path), unchanged, leftOut: left });
  else {
    ui.line(`${changed.length} files written to ${directory}${unchanged > 0 ? `, ${unchanged} there already` : ""}`);
    if (left.length > 0) ui.table([["left out (inexpressible):", left.join(", ")]]);
    await nameOwnPipelines(options, ui);
  }
  return 0;
}

/** A back end whose logs have names of their own finds nothing by those of the rules, and does not say so. */
async function nameOwnPipelines({ backend, pipeline }: OptionValues, ui: Ui): Promise<void> {
  if (typeof backend !== "string" || pipeline !== undefined) return;
  const { ownPipelinesFor } = await import("../detection/sigma-backends.js");
  for (const name of ownPipelinesFor(backend))
    ui.table([["without a pipeline:", `--pipeline ${name} has the names of fields as logs usually have them there`]]);
}

function present(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
