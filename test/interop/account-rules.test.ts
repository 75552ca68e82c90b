/** The rules for a list of accounts, converted by pySigma and run by engines: they match what they match here. */
import { afterAll, describe, expect, it } from "vitest";
import { startOfKeyIds } from "../../src/aws/access-key.js";
import { accountRules } from "../../src/detection/account-rules.js";
import { compileRule } from "../../src/detection/sigma-evaluator.js";
import { expressibleBy } from "../../src/detection/sigma-backends.js";
import { isDetectionRule } from "../../src/detection/sigma-rule.js";
import { enginesHere, foundBy } from "./engines.js";
import { pythonEnvironments } from "./pysigma.js";

const OURS = "111122223333";
const FOREIGN = "999988887777";
const environments = pythonEnvironments();
const engines = enginesHere(environments);
afterAll(() => environments.close());

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

describe.skipIf(engines.length === 0).each(engines)("$name", (engine) => {
  const expressed = expressibleBy({ backend: engine.name });

  it.each(Object.entries(LISTS))("matches by the rules for %s what they match here", (_, accounts) => {
    const rules = accountRules({ accounts, certificates: ["CN=host-1"] }).flatMap(({ file, rule }) =>
      isDetectionRule(rule) && expressed(file) ? [{ file, rule }] : [],
    );
    const here = rules.map(({ file, rule }): [string, number[]] => {
      const compiled = compileRule(rule);
      return [
        file,
        records.flatMap((fields, index) =>
          compiled.matches({ source: rule.logsource, fields, text: JSON.stringify(fields) }) ? [index] : [],
        ),
      ];
    });
    const asked = rules.map((one) => ({ ...one, records: records.map((fields) => ({ fields })) }));
    expect(foundBy(environments, engine, asked)).toEqual(Object.fromEntries(here));
    // Every record of the stranger but the download, and none of ours.
    const matched = new Set(here.flatMap(([, numbers]) => numbers));
    const every = [0, 1, 2, 4, 5, 6, 7, 15, 17, 18, 21];
    expect([...matched].sort((a, b) => a - b)).toEqual(
      expressed("proxy_aws_foreign_account_signature") ? every : every.slice(1),
    );
  });
});
