/**
 * The rules in the hands of the real pySigma: whole folders as `imds-guard sigma write` leaves them, for every back end and
 * pipeline, and the validators of SigmaHQ. With `UPDATE_CONVERSIONS=1` what converts is written down
 * (src/detection/conversions.json, and the table in docs/detection.md by generate:detection-rules).
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import type { Conversion } from "../../src/detection/sigma-rule.js";
import { BACKEND_PACKAGES, good, OLD, pythonEnvironments, pythonOf } from "./pysigma.js";
import type { BackendPackage } from "./pysigma.js";

const ROOT = new URL("../../", import.meta.url);
const CLI = fileURLToPath(new URL("dist/cli.js", ROOT));
const RECORD = fileURLToPath(new URL("src/detection/conversions.json", ROOT));
const PIPELINES = fileURLToPath(new URL("src/detection/pipelines/", ROOT));
const UPDATE = process.env["UPDATE_CONVERSIONS"] === "1";
/** One or a few packages by a part of their name, while one works on them. */
const ONLY = process.env["ONLY_BACKENDS"];
/** Rules on a stranger's account are part of what is written. */
const ACCOUNTS = ["--accounts", "111122223333"];

const work = mkdtempSync(join(tmpdir(), "imds-guard-sigma-"));
const environments = pythonEnvironments();
if (environments.missing !== undefined)
  process.stdout.write(`skipped: ${environments.missing} is not here, so the rules are not converted by pySigma\n`);
afterAll(() => {
  environments.close();
  rmSync(work, { recursive: true, force: true });
});

const recorded = JSON.parse(readFileSync(RECORD, "utf8")) as Conversion[];
const ours = new Set(readdirSync(PIPELINES).map((name) => name.replace(/\.yml$/, "")));
const sigma = (...args: string[]): string =>
  execFileSync(process.execPath, [CLI, "sigma", ...args], { encoding: "utf8" });

/** A folder with the rules that `imds-guard sigma write` puts there. */
function written(name: string, ...options: string[]): string {
  const folder = join(work, name);
  sigma("write", folder, ...options);
  return folder;
}

interface Converted {
  readonly queries: Readonly<Record<string, string>>;
  readonly failed: Readonly<Record<string, string>>;
}

const tooNew = BACKEND_PACKAGES.filter(({ python }) => python !== undefined && pythonOf(python) === undefined);
for (const { package: name, python } of tooNew)
  process.stdout.write(`skipped: ${name} wants Python 3.${python}, which is not here\n`);
const packages = BACKEND_PACKAGES.filter((one) => !tooNew.includes(one)).filter(
  (one) => ONLY === undefined || ONLY.split(",").some((part) => one.package.endsWith(part)),
);
const environmentOf = (one: BackendPackage) =>
  environments.install(one.package, ["sigma-cli", one.package, ...(one.also ?? [])], one.python);
const targets = packages.flatMap((one) =>
  one.backends.flatMap((backend) =>
    [undefined, ...one.pipelines].map((pipeline) => ({
      one,
      backend,
      pipeline,
      label: `${backend}${pipeline === undefined ? "" : ` with ${pipeline}`}`,
    })),
  ),
);
const found: Conversion[] = [];

/**
 * SigmaHQ's validators: those of today, which compare with lists that they would download (and then do not run), and the
 * last ones that bring their lists with them.
 */
const VALIDATORS = [
  { packages: ["pysigma-validators-sigmahq"], which: "all", complete: false },
  { packages: ["pysigma-validators-sigmahq==0.12.2", ...OLD], which: "detections", complete: true },
];
const RULE_FOLDERS = [
  { name: "src/detection/rules", folder: () => fileURLToPath(new URL("src/detection/rules/", ROOT)) },
  { name: "the folder for Splunk", folder: () => written("checked", "--backend", "splunk", ...ACCOUNTS) },
  {
    name: "the folder for a site that has EC2",
    folder: () => written("checked-site", "--backend", "splunk", "--suppress", "10.20.0.0/16", "--vlan", "7"),
  },
];
interface Validation {
  readonly rules: number;
  readonly ran: readonly string[];
  readonly withoutData: readonly string[];
  readonly issues: readonly { readonly validator: string; readonly file: string; readonly issue: string }[];
}

/** What validators object to and is meant, by validator, rule and the words of the objection. */
const MEANT: readonly (readonly [validator: string, file: RegExp, issue: RegExp])[] = [
  // The number of an account is a text in CloudTrail, with its zeros in front.
  ["number_as_string", /^aws_cloudtrail_vpce_foreign_/, /string=111122223333$/],
  // SigmaHQ's configuration leaves out the check of log sources. Ours are those of logs that it has no rules for.
  ["sigmahq_logsource_unknown", /./, /product='(?:imds_guard|zeek|suricata)'|service='(?:guardduty|connection)'/],
  ["sigmahq_logsource_unknown", /^app_aws_/, /category='application'/],
  // Fields that the definition of the log source asks for.
  ["sigmahq_invalid_fieldname", /^net_connection_lnx_imds_container$/, /field=(?:container\.id|k8s\.pod\.name)$/],
  ["sigmahq_invalid_fieldname", /^web_imds_ssrf_body$/, /field=cs-body$/],
  [
    "sigmahq_invalid_fieldname",
    /^proxy_aws_foreign_account_signature$/,
    /field=(?:cs-)?(?:authorization|request_headers)$/,
  ],
  // ATT&CK of 2026 has no tactic of this name.
  ["sigmahq_tags_techniques_without_tactics", /./, /missing_tactic=attack\.defense-evasion$/],
];
const isMeant = (validator: string, file: string, issue: string): boolean =>
  MEANT.some(([name, rules, words]) => name === validator && rules.test(file) && words.test(issue));

describe.skipIf(environments.missing !== undefined)("pySigma", () => {
  const complete = environments.missing === undefined ? written("all", ...ACCOUNTS) : "";

  it.each(targets)(
    "$label: what it cannot express is what is recorded",
    { timeout: 600_000 },
    ({ one, backend, pipeline }) => {
      const environment = environmentOf(one);
      const path = pipeline !== undefined && ours.has(pipeline) ? join(PIPELINES, `${pipeline}.yml`) : pipeline;
      const { queries, failed } = environment.rules(
        "convert",
        complete,
        backend,
        ...(path === undefined ? [] : [path]),
      ) as Converted;
      const without = [...new Set(Object.keys(failed).map((file) => file.replace(/_\d+$/, "")))].sort();
      const conversion: Conversion = {
        backend,
        ...(pipeline !== undefined && { pipeline }),
        package: `${one.package} ${environment.versionOf(one.package)}`,
        ...(one.limited && { limited: true }),
        without,
      };
      found.push(conversion);
      if (UPDATE) return;
      const before = recorded.find((entry) => entry.backend === backend && entry.pipeline === pipeline);
      expect(without, JSON.stringify(failed, null, 2)).toEqual(before?.without);
      // A reason is one of the back end's own, and never that a rule is wrong.
      for (const reason of Object.values(failed))
        expect(reason).not.toMatch(/^(?:SigmaConditionError|SigmaModifierError|KeyError|AttributeError)/);
      expect(Object.keys(queries).length).toBeGreaterThan(0);
      for (const [file, query] of Object.entries(queries))
        if (/^(?:net_firewall|proxy_imds_request|zeek_conn_imds_d)/.test(file)) {
          // Some put a backslash before dots or colons.
          expect(query.replaceAll("\\", ""), file).toContain("169.254.169.254");
          expect(query.replaceAll("\\", ""), file).toContain("fd00:ec2::254");
        }
    },
  );

  it.runIf(UPDATE && ONLY === undefined)("writes down what it found", () => {
    // What could not be tried here is as it was.
    const kept = recorded.filter(({ backend }) => tooNew.some(({ backends }) => backends.includes(backend)));
    writeFileSync(RECORD, `${JSON.stringify([...found, ...kept], null, 2)}\n`);
    execFileSync(process.execPath, [fileURLToPath(new URL("scripts/generate-detection-rules.mjs", ROOT))]);
  });

  // The back end for DuckDB is a library and no plug-in of the converter's.
  const folders = targets.filter(({ backend }) => backend !== "duckdb");
  it.skipIf(UPDATE).each(folders)(
    "$label: converts its folder as a whole",
    { timeout: 600_000 },
    ({ one, backend, pipeline, label }) => {
      const folder = written(
        label.replaceAll(" ", "-"),
        "--backend",
        backend,
        ...(pipeline === undefined ? [] : ["--pipeline", pipeline]),
      );
      const choice =
        pipeline === undefined
          ? ["--without-pipeline"]
          : ["-p", ours.has(pipeline) ? join(folder, "pipelines", `${pipeline}.yaml`) : pipeline];
      // Old and new versions of the converter ask differently for this.
      const checks = backend === "parseable" ? ["-O", "dataset=logs"] : [];
      const { stdout } = good(
        environmentOf(one).run("sigma", [
          "convert",
          "-t",
          backend,
          "--disable-pipeline-check",
          ...choice,
          ...checks,
          folder,
        ]),
      );
      expect(stdout).toMatch(/\S/);
    },
  );

  const general = folders.filter(({ one, pipeline }) => one.limited !== true && pipeline === undefined);
  it.skipIf(UPDATE).each(general)(
    "$label: converts the folder for all as a whole, rules on accounts included",
    { timeout: 600_000 },
    ({ one, backend }) => {
      const { stdout } = good(
        environmentOf(one).run("sigma", ["convert", "-t", backend, "--without-pipeline", complete]),
      );
      expect(stdout.replaceAll("\\", "")).toContain("169.254.169.254");
    },
  );

  describe.each(VALIDATORS)("the validators of $packages", ({ packages: wanted, which, complete: all }) => {
    it.each(RULE_FOLDERS)("find nothing to object to in $name", { timeout: 600_000 }, ({ folder }) => {
      const environment = environments.install(`validators ${which}`, ["sigma-cli", ...wanted]);
      const { rules, ran, withoutData, issues } = environment.rules("validate", folder(), which) as Validation;
      expect(rules).toBeGreaterThan(30);
      expect(issues.filter(({ validator, file, issue }) => !isMeant(validator, file, issue))).toEqual([]);
      expect(ran.length).toBeGreaterThan(60);
      if (all) expect(withoutData).toEqual([]);
    });
  });
});
