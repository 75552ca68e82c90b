/** The rule files: the Sigma JSON schema, the house rules of SigmaHQ, one canonical form, and the generated module. */
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { CATALOGUE } from "../../src/events/catalogue.js";
import { isCorrelationRule, isDetectionRule, LEVELS } from "../../src/detection/sigma-rule.js";
import type { DetectionRule, FieldMap, SigmaRule } from "../../src/detection/sigma-rule.js";
import { SIGMA_RULES } from "../../src/detection/sigma-rules.js";
import { toYaml } from "../../src/detection/sigma-yaml.js";
import { withSuppression } from "../../src/detection/suppression.js";
import { problemsOf } from "./json-schema.js";
import { fc } from "../support/properties.js";

const RULES = new URL("../../src/detection/rules/", import.meta.url);
const SCHEMAS = new URL("./schema/", import.meta.url);
const schema = (name: string): object => JSON.parse(readFileSync(new URL(name, SCHEMAS), "utf8")) as object;
const textOf = (file: string): string => readFileSync(new URL(`${file}.yml`, RULES), "utf8");
const each = SIGMA_RULES.map(({ file, rule }): [string, SigmaRule] => [file, rule]);

describe("the generated module", () => {
  it("is what the files say", () => {
    const script = fileURLToPath(new URL("../../scripts/generate-detection-rules.mjs", import.meta.url));
    expect(execFileSync(process.execPath, [script, "--check"], { encoding: "utf8" })).toBe("");
  });

  it("has every file", () => expect(readdirSync(RULES).sort()).toEqual(SIGMA_RULES.map(({ file }) => `${file}.yml`)));
});

describe("every rule", () => {
  it.each(each)("%s satisfies the Sigma schema", (file, rule) => {
    const name = isDetectionRule(rule) ? "sigma-detection-rule-schema.json" : "sigma-correlation-rules-schema.json";
    expect(problemsOf(parse(textOf(file)), schema(name))).toEqual([]);
  });

  it.each(each)("%s is in the canonical form", (file, rule) => {
    expect(textOf(file)).toBe(toYaml(rule));
    expect(parse(toYaml(rule))).toEqual(rule);
  });

  it.each(each)("%s keeps the house rules", (file, rule) => {
    const text = textOf(file);
    expect(file).toMatch(/^[a-z0-9_]{6,66}$/);
    expect(file).toMatch(prefixOf(rule));
    expect(text).toMatch(/^[\x20-\x7e\n]*$/);
    expect(text).not.toMatch(/[ \t]$/m);
    expect(rule.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(rule.status).toBe("experimental");
    expect(rule.author).toBe("imds-guard");
    expect(rule.date).toMatch(/^\d{4}-\d{2}-\d{2}$/);
    expect(rule.title.length).toBeLessThanOrEqual(120);
    expect(rule.title).not.toMatch(/^Detect|\.$/);
    for (const word of rule.title.split(/[ -]+/))
      expect(word, rule.title).toMatch(/^[A-Z0-9]|^(?:a|as|by|for|in|of|on|the|to|with|after|from|against|through)$/);
    expect(rule.description).toMatch(/^Detects? /);
    expect(rule.description).not.toContain("http");
    expect(rule.references.length).toBeGreaterThan(0);
    for (const reference of rule.references) {
      expect(reference).toMatch(/^https:\/\//);
      expect(reference).not.toContain("attack.mitre.org");
      if (reference.includes("github.com")) expect(reference).toMatch(/\/blob\/[0-9a-f]{40}\//);
    }
    expect(rule.tags).toContainEqual(expect.stringMatching(/^attack\.t\d{4}(?:\.\d{3})?$/));
    expect(rule.tags).toContainEqual(expect.stringMatching(/^attack\.[a-z-]+$/));
    expect(rule.falsepositives.length).toBeGreaterThan(0);
    for (const known of rule.falsepositives) expect(known).toMatch(/^[A-Z]/);
    for (const known of rule.falsepositives) expect(known).not.toMatch(/^(?:none|pentest|penetration test|red team)/i);
    expect(LEVELS).toContain(rule.level);
    if (isDetectionRule(rule)) checkDetection(rule);
  });

  it("has a title, an id and a name of its own", () => {
    for (const pick of [
      (rule: SigmaRule) => rule.id,
      (rule: SigmaRule) => rule.title,
      (rule: SigmaRule) => rule.name ?? rule.id,
    ]) {
      const values = SIGMA_RULES.map(({ rule }) => pick(rule));
      expect(new Set(values).size).toBe(values.length);
    }
  });
});

function checkDetection(rule: DetectionRule): void {
  for (const [name, search] of Object.entries(rule.detection)) {
    if (name === "condition") continue;
    expect(name).toMatch(/^(?:selection|keywords)(?:_[a-z0-9_]+)?$|^filter_(?:main|optional)_[a-z0-9_]+$/);
    if (typeof search !== "object" || Array.isArray(search)) continue;
    for (const [key, value] of Object.entries(search)) {
      // A list of one is written without the list, `all` needs two, and the wildcards have their modifiers.
      if (Array.isArray(value)) expect(value.length, key).toBeGreaterThan(1);
      if (key.includes("|all")) expect(Array.isArray(value) && value.length > 1, key).toBe(true);
      for (const one of [value].flat()) if (typeof one === "string") expect(one, key).not.toMatch(/^\*|\*$/);
      if (Array.isArray(value)) expect(new Set(value).size, key).toBe(value.length);
    }
  }
  expect(rule.detection.condition).not.toContain("of them");
}

/** How SigmaHQ's file names begin for a log source. */
function prefixOf(rule: SigmaRule): RegExp {
  if (isCorrelationRule(rule)) return /^correlation_/;
  const { category, product, service } = (rule as DetectionRule).logsource;
  const short = product === "linux" ? "lnx" : product === "windows" ? "win" : product;
  if (category === "firewall" || category === "dns") return new RegExp(`^net_${category}_`);
  if (category === "webserver") return /^web_/;
  if (category === "network_connection") return new RegExp(`^net_connection_${short}_`);
  if (category === "process_creation") return new RegExp(`^proc_creation_${short}_`);
  if (category === "network") return new RegExp(`^network_${service}_`);
  if (category === "application") return new RegExp(`^app_${product}_`);
  if (category !== undefined) return new RegExp(`^${category}_`);
  return new RegExp(`^${short}_${service}_`);
}

describe("rules on events of imds-guard", () => {
  it("name codes of the catalogue only", () => {
    const codes = SIGMA_RULES.flatMap(({ rule }) =>
      isDetectionRule(rule) && rule.logsource.product === "imds_guard"
        ? (rule.detection["selection"] as { code: string[] }).code
        : [],
    );
    expect(codes.length).toBeGreaterThan(10);
    for (const code of codes) expect(Object.keys(CATALOGUE)).toContain(code);
    expect(new Set(codes).size).toBe(codes.length);
  });

  it("name every code of the catalogue, warnings and errors in a rule that is reported", () => {
    const named = new Map(
      SIGMA_RULES.flatMap(({ rule }) =>
        isDetectionRule(rule) && rule.logsource.product === "imds_guard"
          ? (rule.detection["selection"] as { code: string[] }).code.map((code) => [code, rule.level] as const)
          : [],
      ),
    );
    for (const [code, { severity }] of Object.entries(CATALOGUE)) {
      if (severity === "info" || severity === "notice") expect(named.get(code), code).toBe("informational");
      else expect(named.get(code), code).toMatch(/^(?:low|medium|high|critical)$/);
    }
  });
});

describe("correlations", () => {
  it("refer to rules that there are", () => {
    const names = new Set(SIGMA_RULES.map(({ rule }) => rule.name));
    for (const { rule } of SIGMA_RULES)
      if (isCorrelationRule(rule)) for (const name of rule.correlation.rules) expect(names).toContain(name);
  });
});

describe("a rule that was changed", { timeout: 60_000 }, () => {
  it("is printed as the same kind of document", () => {
    for (const { rule } of SIGMA_RULES) {
      const changed = withSuppression(rule, { subnets: ["10.20.30.0/24", "2001:db8::/32"], vlans: [30] });
      expect(parse(toYaml(changed))).toEqual(changed);
    }
  });

  it.each([
    "",
    "yes",
    "1",
    "2026-11-21",
    "it's",
    "a: b",
    "#x",
    "- x",
    "x ",
    " x",
    "null",
    "[x]",
    "{x}",
    "*x",
    "&x",
    "!x",
    "%x",
    "@x",
    "`x",
    "a\\b",
    '"',
    "a #b",
    "~",
  ])("is read again with a text such as %j", (text) => {
    const rule = {
      ...SIGMA_RULES[0]!.rule,
      title: text,
      falsepositives: [text, "x"],
      detection: { selection: { "a|contains": [text, "y"] }, condition: "selection" },
    };
    expect(parse(toYaml(rule))).toEqual(rule);
  });

  it.each(["", " ", "`", "|'S", "a: ", "a:b", "null", "on", "- x", "1", "a.b|contains"])(
    "is read again with a field such as %j, and with lists and maps of nothing",
    (field) => {
      const maps: readonly FieldMap[] = [{ [field]: ["x"], a: 1 }, {}];
      const rule = {
        ...SIGMA_RULES[0]!.rule,
        references: [],
        detection: { [field]: { [field]: "x" }, other: maps, none: [], nothing: {}, condition: "other" },
      };
      expect(parse(toYaml(rule))).toEqual(rule);
    },
  );

  it("is read again with any printable text", () => {
    const printable = fc.string({ unit: "grapheme-ascii", maxLength: 30 });
    fc.assert(
      fc.property(printable, printable, (title, value) => {
        const rule = { ...SIGMA_RULES[0]!.rule, title, detection: { selection: { a: value }, condition: "selection" } };
        expect(parse(toYaml(rule))).toEqual(rule);
      }),
    );
  });
});
