/** `imds-guard detect`: is this host EC2, by which rule, and on what evidence. */
import { statSync } from "node:fs";
import { resolve } from "node:path";
import type { HostEvidence, HostReport, Verdict } from "../host/report.js";
import type { Command } from "./command.js";
import { UsageError } from "./command.js";
import type { Tone, Ui } from "./ui.js";

export const command: Command = {
  name: "detect",
  summary: "tell whether this host is EC2, and why",
  usage: "[--explain] [--root DIR]",
  description: [
    "Judges by local evidence only: nothing is sent, and root is not needed. The verdict is ec2, not-ec2 or unknown; unknown means that what could be read decides neither way.",
    "Exit code 0 for ec2 and not-ec2, 3 for unknown. With --json: verdict, rule, reason, evidence (source, status, value, weight, says), and where known virtualization, instanceId, container and root.",
  ],
  options: [
    { name: "explain", summary: "show every fact that was looked for, found or not" },
    {
      name: "root",
      value: "DIR",
      summary: "judge the machine whose files lie under DIR: a mounted image or a captured tree",
    },
  ],
  examples: [
    { command: "imds-guard detect --explain", does: "this host, with all evidence" },
    { command: "imds-guard detect --root /mnt/image --json", does: "a mounted image, for a program" },
  ],
  async run({ options, words, json, ui, system }) {
    if (words.length > 0)
      throw new UsageError(`detect takes no words, and got ${words[0]}`, "a directory is given with --root");
    const root = typeof options["root"] === "string" ? directory(options["root"]) : undefined;
    const [{ detectHost }, { rootedSystem }] = await Promise.all([
      import("../host/detect.js"),
      import("./rooted-system.js"),
    ]);
    const report = await detectHost(root === undefined ? system : rootedSystem(root, system));
    if (json) ui.json({ ...(root !== undefined && { root }), ...asJson(report) });
    else print(report, options["explain"] === true, ui);
    return report.verdict === "unknown" ? 3 : 0;
  },
};

/** A report with its members in a fixed order; the vetoes are the evidence with that weight. */
export function asJson({ verdict, rule, reason, virtualization, instanceId, container, evidence }: HostReport): object {
  return { verdict, rule, reason, virtualization, instanceId, container, evidence };
}

function directory(option: string): string {
  const path = resolve(option);
  try {
    if (statSync(path).isDirectory()) return path;
  } catch (error) {
    throw new UsageError(
      `${option} cannot be judged: ${(error as NodeJS.ErrnoException).code}`,
      "--root names a directory that can be read",
    );
  }
  throw new UsageError(`${option} is not a directory`);
}

/** The tone in which a verdict is shown: it is unknown alone that asks for attention. */
export const VERDICT_TONE: Readonly<Record<Verdict, Tone>> = { ec2: "ok", "not-ec2": "ok", unknown: "unknown" };

const SIGNS: Readonly<Record<HostEvidence["weight"], string>> = {
  supports: "for EC2",
  contradicts: "against",
  veto: "VETO",
  neutral: "",
};
const TONES: Readonly<Record<HostEvidence["weight"], Tone>> = {
  supports: "ok",
  contradicts: "strong",
  veto: "finding",
  neutral: "dim",
};

function print(report: HostReport, explain: boolean, ui: Ui): void {
  const { verdict, rule, reason, virtualization, instanceId, container } = report;
  ui.table([
    [ui.paint("verdict", "dim"), ui.paint(verdict, VERDICT_TONE[verdict])],
    [ui.paint("rule", "dim"), rule],
    [ui.paint("because", "dim"), reason],
    ...(virtualization === undefined ? [] : [[ui.paint("kind", "dim"), virtualization]]),
    ...(instanceId === undefined ? [] : [[ui.paint("instance", "dim"), `${instanceId} (by its asset tag)`]]),
    ...(container === undefined ? [] : [[ui.paint("container", "dim"), `${container} (says nothing about the host)`]]),
  ]);
  const shown = explain ? report.evidence : report.evidence.filter(({ weight }) => weight !== "neutral");
  if (shown.length > 0) ui.line();
  ui.table(
    shown.map((fact) => [ui.paint(SIGNS[fact.weight], TONES[fact.weight]), fact.source, valueOf(fact, ui), fact.says]),
  );
  if (!explain && shown.length < report.evidence.length)
    ui.note(`${report.evidence.length - shown.length} more facts weigh nothing; --explain shows them`);
}

/** On a terminal as much as leaves room for the rest of the line; --json has all of it. */
const LONGEST_VALUE = 40;

function valueOf({ status, value }: HostEvidence, { terminal }: Ui): string {
  if (value === undefined) return `(${status})`;
  return JSON.stringify(terminal && value.length > LONGEST_VALUE ? `${value.slice(0, LONGEST_VALUE - 3)}...` : value);
}
