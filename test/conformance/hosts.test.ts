/** The verdict on thousands of real machines, and on composed lookalikes. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { detectHost } from "../../src/host/detect.js";
import type { HostReport, Verdict } from "../../src/host/report.js";
import { fakeHost } from "../host/fake-host.js";

const CORPUS = fileURLToPath(new URL("../../../shared/corpora/hosts.dev.jsonl", import.meta.url));
const present = existsSync(CORPUS);
if (!present) console.log("conformance/hosts: skipped, ../shared/corpora/hosts.dev.jsonl is not there");

interface Entry {
  readonly id: string;
  readonly truth: "ec2" | "not-ec2";
  readonly kind: string;
  readonly os: "linux" | "windows" | "freebsd" | "openbsd" | "darwin";
  readonly expect?: "either";
  readonly scope?: "partial";
  readonly readable_as: "root" | "user";
  readonly files: Readonly<Record<string, string>>;
  readonly inferred?: Readonly<Record<string, string>>;
}

interface Judged {
  readonly entry: Entry;
  readonly report: HostReport;
}

const PLATFORM = {
  linux: "linux",
  windows: "win32",
  freebsd: "freebsd",
  openbsd: "openbsd",
  darwin: "darwin",
} as const;

/** Each entry as captured, and again with the files that such a host has but its capture did not list. */
async function judgeAll(entries: readonly Entry[]): Promise<Judged[]> {
  const judged: Judged[] = [];
  for (const entry of entries) {
    const views = entry.inferred === undefined ? [entry.files] : [entry.files, { ...entry.files, ...entry.inferred }];
    for (const files of views) {
      const missing = entry.scope === "partial" ? "unreadable" : "absent";
      const system = fakeHost({ platform: PLATFORM[entry.os], files, reader: entry.readable_as, missing });
      judged.push({ entry, report: await detectHost(system) });
    }
  }
  return judged;
}

const entries = present
  ? readFileSync(CORPUS, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Entry)
  : [];
const judged = await judgeAll(entries);

function tally(list: readonly Judged[]): string {
  const count = (verdict: Verdict) => list.filter(({ report }) => report.verdict === verdict).length;
  return `ec2 ${count("ec2")}, not-ec2 ${count("not-ec2")}, unknown ${count("unknown")}`;
}

function named({ entry, report }: Judged): string {
  return `${entry.id} (${entry.kind}): ${report.verdict} by ${report.rule}: ${report.reason}`;
}

const counted = judged.filter(({ entry }) => entry.expect === undefined && entry.scope === undefined);
const partial = judged.filter(({ entry }) => entry.expect === undefined && entry.scope !== undefined);
const either = judged.filter(({ entry }) => entry.expect !== undefined);
const of = (list: readonly Judged[], truth: Entry["truth"]) => list.filter(({ entry }) => entry.truth === truth);

describe.skipIf(!present)("the host corpus", () => {
  test("says what it counted", () => {
    console.log(
      [
        `conformance/hosts: ${entries.length} entries, ${judged.length} views`,
        `  EC2:              ${tally(of(counted, "ec2"))}`,
        `  others:           ${tally(of(counted, "not-ec2"))}`,
        `  EC2, partial:     ${tally(of(partial, "ec2"))}`,
        `  others, partial:  ${tally(of(partial, "not-ec2"))}`,
        `  either, EC2:      ${tally(of(either, "ec2"))}`,
        `  either, others:   ${tally(of(either, "not-ec2"))}`,
      ].join("\n"),
    );
    expect(of(counted, "ec2").length).toBeGreaterThan(0);
    expect(of(counted, "not-ec2").length).toBeGreaterThan(0);
  });

  test("refuses no EC2 host", () => {
    expect(
      of(counted, "ec2")
        .filter(({ report }) => report.verdict !== "ec2")
        .map(named),
    ).toEqual([]);
  });

  test("accepts no other host, however little is known of it", () => {
    const accepted = [...of(counted, "not-ec2"), ...of(partial, "not-ec2")].filter(
      ({ report }) => report.verdict === "ec2",
    );
    expect(accepted.map(named)).toEqual([]);
  });

  test("never says not-ec2 of an EC2 host of which only a part is known", () => {
    expect(
      of(partial, "ec2")
        .filter(({ report }) => report.verdict === "not-ec2")
        .map(named),
    ).toEqual([]);
  });

  test("reads a Nitro instance id wherever the tag shows one", () => {
    const tags = judged.filter(({ report }) => report.virtualization === "nitro");
    for (const { entry, report } of tags)
      expect(report.instanceId).toBe(entry.files["sys/class/dmi/id/board_asset_tag"]);
  });

  test("agrees with itself: no accepted host carries a contradiction, and every veto refuses", () => {
    const torn = judged.filter(
      ({ report }) =>
        report.verdict === "ec2" && report.evidence.some(({ weight }) => weight === "contradicts" || weight === "veto"),
    );
    expect(torn.map(named)).toEqual([]);
    const unnamed = judged.filter(({ report }) => report.rule.startsWith("veto-") !== report.vetoes.length > 0);
    expect(unnamed.map(named)).toEqual([]);
  });
});
