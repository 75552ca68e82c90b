/** The rules in the hands of the real pySigma: converted by its back ends and checked by its validators. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SIGMA_RULES } from "../../src/detection/sigma-rules.js";
import { isCorrelationRule, isDetectionRule } from "../../src/detection/sigma-rule.js";

const PACKAGES = [
  "pysigma",
  "pysigma-backend-splunk",
  "pysigma-backend-elasticsearch",
  "pysigma-backend-kusto",
  "pysigma-backend-qradar-community",
  "pysigma-validators-sigmahq",
];
const RULES = fileURLToPath(new URL("../../src/detection/rules", import.meta.url));
const SCRIPT = fileURLToPath(new URL("./sigma_rules.py", import.meta.url));

interface Outcome {
  readonly converted: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly failed: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly validators: {
    readonly ran: readonly string[];
    readonly withoutData: readonly string[];
    readonly issues: readonly string[];
  };
}

/** An environment with pySigma, or why there is none. */
function install(folder: string): string | { readonly missing: string } {
  const python = join(folder, "bin", "python");
  const made = spawnSync("python3", ["-m", "venv", folder], { encoding: "utf8", timeout: 120_000 });
  if (made.status !== 0) return { missing: "python3 with venv" };
  const installed = spawnSync(
    python,
    ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1", ...PACKAGES],
    { encoding: "utf8", timeout: 400_000 },
  );
  return installed.status === 0 ? python : { missing: "PyPI" };
}

const folder = mkdtempSync(join(tmpdir(), "imds-guard-pysigma-"));
const python = install(folder);
const remove = (): void => rmSync(folder, { recursive: true, force: true });
if (typeof python !== "string") {
  process.stdout.write(`skipped: ${python.missing} is not here, so the rules are not converted by pySigma\n`);
  remove();
}
afterAll(remove);

/** What a back end cannot express, by its own words; everything else has to be converted. */
const BEYOND: Readonly<Record<string, (file: string) => boolean>> = {
  splunk: () => false,
  lucene: (file) => file.startsWith("correlation_"),
  esql: (file) => file.startsWith("lnx_syslog_") || file === "correlation_firewall_imds_then_instance_session",
  kusto: (file) => file.startsWith("correlation_"),
  "qradar-aql-community": (file) => file.startsWith("correlation_"),
};

describe.skipIf(typeof python !== "string")("pySigma", () => {
  let outcome: Outcome;
  beforeAll(() => {
    const { status, stdout, stderr } = spawnSync(python as string, [SCRIPT, RULES], {
      encoding: "utf8",
      timeout: 300_000,
      maxBuffer: 32 * 1024 * 1024,
    });
    expect(status, stderr).toBe(0);
    outcome = JSON.parse(stdout) as Outcome;
  });

  it.each(Object.keys(BEYOND))("converts every rule for %s that it can express", (backend) => {
    const converted = outcome.converted[backend]!;
    const failed = outcome.failed[backend]!;
    for (const { file } of SIGMA_RULES) {
      if (BEYOND[backend]!(file)) expect(failed[file], file).toMatch(/not support/);
      else expect(converted[file], `${file}: ${failed[file] ?? ""}`).toEqual(expect.stringMatching(/\S/));
    }
    process.stdout.write(`${backend}: ${Object.keys(converted).length} of ${SIGMA_RULES.length} rules converted\n`);
  });

  it.each(Object.keys(BEYOND))("keeps both addresses in the queries for %s", (backend) => {
    for (const file of [
      "net_firewall_imds_destination",
      "zeek_conn_imds_responder",
      "proxy_imds_request",
      "net_dns_imds_address_in_answer",
    ]) {
      // Lucene puts a backslash before colons.
      const query = outcome.converted[backend]![file]!.replaceAll("\\", "");
      expect(query).toContain("169.254.169.254");
      expect(query).toContain("fd00:ec2::254");
    }
  });

  it("finds nothing to object to", () => {
    expect(outcome.validators.issues).toEqual([]);
    expect(outcome.validators.ran.length).toBeGreaterThan(50);
    // These compare with lists that they would download.
    process.stdout.write(
      `validators: ${outcome.validators.ran.length} ran, ${outcome.validators.withoutData.length} need data from outside and did not\n`,
    );
  });

  it("was given all rules", () => {
    expect(SIGMA_RULES.filter(({ rule }) => isDetectionRule(rule)).length).toBeGreaterThanOrEqual(11);
    expect(SIGMA_RULES.filter(({ rule }) => isCorrelationRule(rule)).length).toBeGreaterThanOrEqual(1);
  });
});
