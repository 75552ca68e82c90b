/** Rules for a list of accounts: valid, whole over every split, and true of strangers and of nobody else. */
import { readFileSync } from "node:fs";
import { describe, expect, it, test } from "vitest";
import { parse } from "yaml";
import { startOfKeyIds } from "../../src/aws/access-key.js";
import { MOST_ACCOUNTS_IN_RULE } from "../../src/detection/account-parts.js";
import { accountRules } from "../../src/detection/account-rules.js";
import { suricataRules, zeekScript } from "../../src/detection/account-sensors.js";
import { compileRule } from "../../src/detection/sigma-evaluator.js";
import { createCorrelator } from "../../src/detection/sigma-correlation.js";
import { isCorrelationRule, isDetectionRule } from "../../src/detection/sigma-rule.js";
import { SIGMA_RULES } from "../../src/detection/sigma-rules.js";
import { toYaml } from "../../src/detection/sigma-yaml.js";
import { problemsOf } from "./json-schema.js";

const OURS = "111122223333";
const FOREIGN = "999988887777";
const SCHEMAS = new URL("./schema/", import.meta.url);
const schema = (name: string): object => JSON.parse(readFileSync(new URL(name, SCHEMAS), "utf8")) as object;
const rules = accountRules({ accounts: [OURS], certificates: ["CN=host-1"] });
/** 3,000 accounts, many of them beside each other. */
const MANY = Array.from({ length: 3_000 }, (_, index) =>
  String(index % 2 === 0 ? 500_000_000_000 + index : (index * 104_729_331) % 1e12).padStart(12, "0"),
);

function keyOf(account: string): string {
  const start = startOfKeyIds(account);
  return `ASIA${start.slice(0, 8)}${start.endsWith("[A-P]") ? "C" : "S"}XQ2WZ7K`;
}

function matching(all: typeof rules, fields: Record<string, unknown>): string[] {
  return all.flatMap(({ file, rule }) => {
    if (!isDetectionRule(rule)) return [];
    const { category, product, service } = rule.logsource;
    const source = { ...(category && { category }), ...(product && { product }), ...(service && { service }) };
    return compileRule(rule).matches({ source, fields, text: JSON.stringify(fields) }) ? [file] : [];
  });
}

describe("every rule", () => {
  test.each(rules.map(({ file, rule }) => [file, rule] as const))("%s is valid", (_, rule) => {
    const name = isDetectionRule(rule) ? "sigma-detection-rule-schema.json" : "sigma-correlation-rules-schema.json";
    expect(problemsOf(parse(toYaml(rule)), schema(name))).toEqual([]);
    expect(parse(toYaml(rule))).toEqual(rule);
    expect(rule.description).toMatch(/^Detects? /);
  });

  it("has a title, an id and a name of its own, beside the shipped ones", () => {
    const all = [...SIGMA_RULES, ...accountRules({ accounts: MANY })].map(({ rule }) => rule);
    for (const pick of ["id", "title"] as const) expect(new Set(all.map((rule) => rule[pick])).size).toBe(all.length);
    const names = all.map(({ name, id }) => name ?? id);
    expect(new Set(names).size).toBe(names.length);
    for (const rule of all)
      if (isCorrelationRule(rule)) for (const name of rule.correlation.rules) expect(names).toContain(name);
  });
});

describe("what they find", () => {
  const cases = (account: string): readonly (readonly [file: string, fields: Record<string, unknown>])[] => [
    [
      "proxy_aws_foreign_account_signature",
      { "cs-authorization": `AWS4-HMAC-SHA256 Credential=${keyOf(account)}/20261128/x` },
    ],
    ["app_aws_foreign_account_signature", { message: `signing with Credential=${keyOf(account)}/20261128/x` }],
    [
      "proxy_aws_foreign_account_presigned",
      { "cs-method": "PUT", "c-uri": `/k?X-Amz-Credential=${keyOf(account)}%2F20261128` },
    ],
    ["net_dns_aws_foreign_account_name", { query: `${account}.ddb.eu-central-1.amazonaws.com` }],
    ["zeek_ssl_aws_foreign_account_name", { server_name: `team-${account}.d.codeartifact.eu-central-1.amazonaws.com` }],
    [
      "aws_cloudtrail_vpce_foreign_instance_session",
      {
        eventType: "AwsVpceEvent",
        userIdentity: { type: "AWSAccount", accountId: account, principalId: "AROAEXAMPLEID:i-0abcdef1234567890" },
      },
    ],
    ["aws_cloudtrail_vpce_foreign_account", { eventType: "AwsVpceEvent", userIdentity: { accountId: account } }],
  ];
  it.each(cases(FOREIGN))("%s finds a stranger", (file, fields) => expect(matching(rules, fields)).toContain(file));
  it.each(cases(OURS))("%s leaves us alone", (_, fields) => expect(matching(rules, fields)).toEqual([]));

  it("leaves keys alone that tell no account", () => {
    for (const key of ["AKIAIOSFODNN7EXAMPLE", "AKIAJWMRCSBBKQO4HQCQ"])
      expect(matching(rules, { message: `Credential=${key}/20261128` })).toEqual([]);
  });

  it.each([
    [
      "aws_guardduty_instance_credential_exfiltration",
      { type: "UnauthorizedAccess:IAMUser/InstanceCredentialExfiltration.OutsideAWS" },
    ],
    ["aws_cloudtrail_vpce_access_denied", { eventType: "AwsVpceEvent", errorCode: "VpceAccessDenied" }],
    [
      "aws_cloudtrail_managed_instance_token_outside",
      {
        eventSource: "ssm.amazonaws.com",
        eventName: "RequestManagedInstanceRoleToken",
        sourceIPAddress: "198.51.100.7",
      },
    ],
    [
      "aws_cloudtrail_rolesanywhere_unknown_certificate",
      { userIdentity: { sessionContext: { sourceIdentity: "CN=host-2" } } },
    ],
  ])("%s", (file, fields) => expect(matching(rules, fields)).toContain(file));

  it("leaves a listed certificate and a node inside alone", () => {
    expect(matching(rules, { userIdentity: { sessionContext: { sourceIdentity: "CN=host-1" } } })).toEqual([]);
    expect(
      matching(rules, {
        eventSource: "ssm.amazonaws.com",
        eventName: "RequestManagedInstanceRoleToken",
        sourceIPAddress: "10.0.0.7",
      }),
    ).toEqual([]);
  });

  it("is critical after traffic to the metadata address within an hour, and not before it", () => {
    const all = [...SIGMA_RULES, ...rules].map(({ rule }) => rule);
    const named = (name: string) => all.filter(isDetectionRule).find((rule) => rule.name === name)!;
    const minutes = (count: number): number => Date.UTC(2026, 10, 28, 12) + count * 60_000;
    const play = (first: number, second: number): string[] => {
      const correlator = createCorrelator(rules.map(({ rule }) => rule).filter(isCorrelationRule));
      const seen = [
        { rule: named("firewall_imds_destination"), fields: { src_ip: "10.20.0.15" }, time: minutes(first) },
        { rule: named("vpce_foreign_session_1"), fields: { sourceIPAddress: "10.20.0.15" }, time: minutes(second) },
      ].sort((a, b) => a.time - b.time);
      return seen.flatMap(({ rule, ...record }) =>
        correlator.add(rule, { source: {}, text: "", ...record }).map(({ rule: found }) => found.level),
      );
    };
    expect(play(0, 59)).toEqual(["critical"]);
    expect(play(0, 61)).toEqual([]);
    expect(play(10, 5)).toEqual([]);
  });
});

describe("a long list", () => {
  const split = accountRules({ accounts: MANY });

  it("is split, with at most 256 accounts in a rule", () => {
    const first = split.filter(({ file }) => file.startsWith("proxy_aws_foreign_account_signature"));
    expect(first.length).toBeGreaterThanOrEqual(Math.ceil(new Set(MANY).size / MOST_ACCOUNTS_IN_RULE));
    for (const { rule } of split) {
      const accounts = toYaml(rule)
        .split(/[|(,]|\n/)
        .filter((part) => /^ *- '[0-9]{12}'|^[A-Z2-7]{8}\[/.test(part));
      expect(new Set(accounts).size).toBeLessThanOrEqual(MOST_ACCOUNTS_IN_RULE);
    }
  });

  it("finds every stranger by exactly one of the parts, and none of ours", () => {
    const own = new Set(MANY);
    for (let index = 0; index < 200; index++) {
      const account = String(index % 2 === 0 ? 500_000_000_000 + index : (index * 7_919_317_331) % 1e12).padStart(
        12,
        "0",
      );
      const expected = own.has(account) ? 0 : 1;
      expect(matching(split, { message: `Credential=${keyOf(account)}/2` }), account).toHaveLength(expected);
      expect(matching(split, { query: `${account}.ddb.eu-central-1.amazonaws.com` }), account).toHaveLength(expected);
    }
  });
});

describe("sensors", () => {
  it("have rules that Suricata takes, however many the accounts are", () => {
    const lines = suricataRules(MANY)
      .split("\n")
      .filter((line) => line.startsWith("alert "));
    for (const line of lines) expect(line.length).toBeLessThan(8_192);
    expect(new Set(lines.map((line) => /sid:(\d+)/.exec(line)![1])).size).toBe(lines.length);
  });

  it("have the accounts filled in", () => {
    expect(zeekScript([OURS, FOREIGN])).toContain('{ "111122223333", "999988887777" }');
    const lines = suricataRules([OURS])
      .split("\n")
      .filter((line) => line.startsWith("alert "));
    expect(lines).toHaveLength(3);
    const expression = new RegExp(/pcre:"\/(Credential=.*?)\/";/.exec(lines[0]!)![1]!.replace("?P<", "?<"));
    expect(expression.exec(`Credential=${keyOf(FOREIGN)}/2026`)?.groups?.["flow_aws_key_id"]).toBe(keyOf(FOREIGN));
    expect(expression.test(`Credential=${keyOf(OURS)}/2026`)).toBe(false);
  });
});

test.each([[], ["12345"]])("%j is refused", (...accounts) => {
  expect(() => accountRules({ accounts: accounts.filter((account) => account !== undefined) })).toThrow(
    expect.objectContaining({ code: "ERR_INVALID_ARG_VALUE" }),
  );
});
