/** The rules for a list of accounts, converted by pySigma and run by SQLite: they match what they match here. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { startOfKeyIds } from "../../src/aws/access-key.js";
import { accountRules } from "../../src/detection/account-rules.js";
import { compileRule } from "../../src/detection/sigma-evaluator.js";
import { isDetectionRule } from "../../src/detection/sigma-rule.js";
import { toYaml } from "../../src/detection/sigma-yaml.js";

const OURS = "111122223333";
const FOREIGN = "999988887777";
const folder = mkdtempSync(join(tmpdir(), "imds-guard-sqlite-"));
const python = join(folder, "bin", "python");
const run = (command: string, args: readonly string[], input = "") =>
  spawnSync(command, args, { input, encoding: "utf8", timeout: 300_000 });
const PACKAGES = ["pysigma", "pysigma-backend-sqlite"];
const installed =
  run("python3", ["-m", "venv", folder]).status === 0 &&
  run(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1", ...PACKAGES])
    .status === 0;
if (!installed) process.stdout.write("skipped: python3 with venv or PyPI is not here, so SQLite runs no rules\n");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function recordsOf(account: string): Record<string, string>[] {
  const start = startOfKeyIds(account);
  const key = `ASIA${start.slice(0, 8)}${start.endsWith("[A-P]") ? "C" : "S"}XQ2WZ7K`;
  const endpoint = { eventType: "AwsVpceEvent", "userIdentity.accountId": account };
  return [
    { "cs-authorization": `AWS4-HMAC-SHA256 Credential=${key}/20261128/eu-central-1/s3/aws4_request` },
    { message: `signing with Credential=${key}/20261128/eu-central-1/s3/aws4_request` },
    { "cs-method": "PUT", "c-uri": `/k?X-Amz-Credential=${key}%2F20261128` },
    { "cs-method": "GET", "c-uri": `/k?X-Amz-Credential=${key}%2F20261128` },
    { query: `${account}.ddb.eu-central-1.amazonaws.com` },
    { server_name: `team-${account}.d.codeartifact.eu-central-1.amazonaws.com` },
    { ...endpoint, "userIdentity.principalId": "AROAEXAMPLEID:i-0abcdef1234567890" },
    { ...endpoint, "userIdentity.principalId": "AROAEXAMPLEID:session", errorCode: "VpceAccessDenied" },
  ];
}

const records = [
  ...recordsOf(FOREIGN),
  ...recordsOf(OURS),
  { message: "Credential=AKIAIOSFODNN7EXAMPLE/20261128" },
  { type: "UnauthorizedAccess:IAMUser/InstanceCredentialExfiltration.OutsideAWS" },
  { eventSource: "ssm.amazonaws.com", eventName: "RequestManagedInstanceRoleToken", sourceIPAddress: "198.51.100.7" },
  { eventSource: "ssm.amazonaws.com", eventName: "RequestManagedInstanceRoleToken", sourceIPAddress: "10.0.0.7" },
  { "userIdentity.sessionContext.sourceIdentity": "CN=host-1" },
  { "userIdentity.sessionContext.sourceIdentity": "CN=host-2" },
] as readonly Record<string, string>[];
const LISTS: Readonly<Record<string, readonly string[]>> = {
  "one account": [OURS],
  "a list that is split": [
    OURS,
    ...Array.from({ length: 600 }, (_, index) => String(222_200_000_000 + index * 7_919_317)),
  ],
};

describe.skipIf(!installed)("SQLite", () => {
  it.each(Object.entries(LISTS))("matches by the rules for %s what they match here", (_, accounts) => {
    const rules = accountRules({ accounts, certificates: ["CN=host-1"] }).flatMap(({ file, rule }) =>
      isDetectionRule(rule) ? [{ file, rule }] : [],
    );
    const names = rules.flatMap(({ rule }) => [...JSON.stringify(rule.detection).matchAll(/"([\w.-]+)(?:\|\w+)?":/g)]);
    const columns = [...new Set([...records.flatMap(Object.keys), ...names.map(([, name]) => name!)])];
    const order = { columns, records, rules: Object.fromEntries(rules.map(({ file, rule }) => [file, toYaml(rule)])) };
    const script = fileURLToPath(new URL("./account_rules.py", import.meta.url));
    const { status, stdout, stderr } = run(python, [script], JSON.stringify(order));
    expect(status, stderr).toBe(0);
    const here = rules.map(({ file, rule }): [string, number[]] => {
      const compiled = compileRule(rule);
      return [
        file,
        records.flatMap((fields, index) =>
          compiled.matches({ source: rule.logsource, fields, text: JSON.stringify(fields) }) ? [index] : [],
        ),
      ];
    });
    expect(JSON.parse(stdout)).toEqual(Object.fromEntries(here));
    // Every record of the stranger but the download, and none of ours.
    const matched = new Set(here.flatMap(([, numbers]) => numbers));
    expect([...matched].sort((a, b) => a - b)).toEqual([0, 1, 2, 4, 5, 6, 7, 15, 17, 18, 21]);
  });
});
