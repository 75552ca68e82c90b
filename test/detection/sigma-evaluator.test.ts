/** The Sigma subset: tables of its semantics, and properties on arbitrary rules and records. */
import { describe, expect, it } from "vitest";
import type { LogRecord } from "../../src/detection/log-record.js";
import { parseCondition } from "../../src/detection/sigma-condition.js";
import { compileRule, readsFrom } from "../../src/detection/sigma-evaluator.js";
import type { Detection, DetectionRule, Search } from "../../src/detection/sigma-rule.js";
import { isDetectionRule } from "../../src/detection/sigma-rule.js";
import { SIGMA_RULES } from "../../src/detection/sigma-rules.js";
import { fc } from "../support/properties.js";

function ruleWith(detection: Detection): DetectionRule {
  return {
    title: "Test",
    id: "00000000-0000-4000-8000-000000000000",
    status: "experimental",
    description: "Detects tests",
    references: [],
    author: "imds-guard",
    date: "2026-11-21",
    tags: [],
    logsource: {},
    detection,
    falsepositives: [],
    level: "low",
  };
}

function matches(search: Search, fields: Record<string, unknown>, text = JSON.stringify(fields)): boolean {
  return compileRule(ruleWith({ selection: search, condition: "selection" })).matches({ source: {}, fields, text });
}

describe("one field", () => {
  it.each<[string, Search, Record<string, unknown>, boolean]>([
    ["equal, any case", { a: "Put" }, { a: "PUT" }, true],
    ["not a part", { a: "put" }, { a: "puts" }, false],
    ["one of a list", { a: ["x", "y"] }, { a: "y" }, true],
    ["an element of the field", { a: "y" }, { a: ["x", "y"] }, true],
    ["absent", { a: "y" }, {}, false],
    ["number and number", { a: 80 }, { a: 80 }, true],
    ["number and text", { a: 80 }, { a: "80" }, true],
    ["number and nothing", { a: 0 }, { a: "" }, false],
    ["text and number", { a: "80" }, { a: 80 }, true],
    ["truth", { a: "true" }, { a: true }, true],
    ["null where absent", { a: null }, {}, true],
    ["null where null", { a: null }, { a: null }, true],
    ["null where present", { a: null }, { a: "" }, false],
    ["empty", { a: "" }, { a: "" }, true],
    ["empty is not absent", { a: "" }, {}, false],
    ["object is no text", { a: "[object Object]" }, { a: {} }, false],
    ["contains", { "a|contains": "api/tok" }, { a: "/latest/API/token" }, true],
    ["startswith", { "a|startswith": "/lat" }, { a: "/latest" }, true],
    ["startswith elsewhere", { "a|startswith": "lat" }, { a: "/latest" }, false],
    ["endswith", { "a|endswith": "\\netsh.exe" }, { a: "C:\\Windows\\System32\\netsh.exe" }, true],
    ["endswith elsewhere", { "a|endswith": "netsh" }, { a: "netsh.exe" }, false],
    ["all", { "a|contains|all": ["x", "y"] }, { a: "axby" }, true],
    ["all but one", { "a|contains|all": ["x", "z"] }, { a: "axby" }, false],
    ["cased", { "a|cased": "PUT" }, { a: "put" }, false],
    ["cased, same", { "a|contains|cased": "UT" }, { a: "PUT" }, true],
    ["star", { a: "/latest/*/token" }, { a: "/latest/api/token" }, true],
    ["star across lines", { a: "a*b" }, { a: "a\n\nb" }, true],
    ["question mark", { a: "prog?.exe" }, { a: "progA.exe" }, true],
    ["question mark needs one", { a: "prog?.exe" }, { a: "prog.exe" }, false],
    ["escaped star", { a: "a\\*b" }, { a: "a*b" }, true],
    ["escaped star is no wildcard", { a: "a\\*b" }, { a: "axb" }, false],
    ["backslash and star", { a: "C:\\\\*" }, { a: "C:\\x" }, true],
    ["special characters of expressions", { "a|contains": "[fd00:ec2::254].(" }, { a: "//[FD00:ec2::254].(x" }, true],
    ["re", { "a|re": "^i-[0-9a-f]+$" }, { a: "i-0abc" }, true],
    ["re minds case", { "a|re": "^I-" }, { a: "i-0abc" }, false],
    ["re with i", { "a|re|i": "^I-" }, { a: "i-0abc" }, true],
    ["re with m", { "a|re|m": "^b$" }, { a: "a\nb" }, true],
    ["re with s", { "a|re|s": "a.b" }, { a: "a\nb" }, true],
    ["cidr v4", { "a|cidr": "10.0.0.0/8" }, { a: "10.1.2.3" }, true],
    ["cidr v6", { "a|cidr": ["fc00::/7"] }, { a: "FD00:0EC2::0254" }, true],
    ["cidr and no address", { "a|cidr": "10.0.0.0/8" }, { a: "10.1.2.3.4" }, false],
    ["exists", { "a|exists": true }, { a: null }, true],
    ["exists not", { "a|exists": false }, {}, true],
    ["exists not, but does", { "a|exists": false }, { a: 1 }, false],
    ["greater", { "a|gt": 0 }, { a: 1 }, true],
    ["greater, text", { "a|gt": 0 }, { a: "412" }, true],
    ["greater, nothing", { "a|gte": 0 }, { a: "" }, false],
    ["greater, word", { "a|gt": 0 }, { a: "many" }, false],
    ["less", { "a|lt": 5 }, { a: 5 }, false],
    ["at most", { "a|lte": 5 }, { a: 5 }, true],
    ["neq", { "a|neq": "x" }, { a: "y" }, true],
    ["neq, same", { "a|neq": "x" }, { a: "X" }, false],
    ["neq, absent", { "a|neq": "x" }, {}, false],
    ["fieldref", { "a|fieldref": "b" }, { a: "X", b: "x" }, true],
    ["fieldref, other", { "a|fieldref": "b" }, { a: "x", b: "y" }, false],
    ["fieldref, absent", { "a|fieldref": "b" }, { a: "x" }, false],
    ["fieldref and neq", { "a|fieldref|neq": "b" }, { a: "x", b: "y" }, true],
    ["dotted name", { "id.resp_h": "x" }, { "id.resp_h": "x" }, true],
    ["nested name", { "userIdentity.type": "AssumedRole" }, { userIdentity: { type: "AssumedRole" } }, true],
    ["not a member of a prototype", { "constructor.name": "Object" }, {}, false],
    ["Kelvin sign is no k", { a: "token" }, { a: "to\u212aen" }, false],
  ])("%s", (_, search, fields, expected) => {
    expect(matches(search, fields)).toBe(expected);
  });
});

describe("wildcards", () => {
  const matchesText = (pattern: string, text: string): boolean => matches({ a: pattern }, { a: text });

  it("are what the regular expression of them would be", () => {
    const piece = fc.constantFrom("a", "b", "ab", "*", "?", "**", "*?", "\\*");
    const pattern = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(""));
    const text = fc.array(fc.constantFrom("a", "b", "*", "\n"), { maxLength: 12 }).map((chars) => chars.join(""));
    const expected = (source: string): RegExp =>
      new RegExp(
        `^${source.replace(/\\\*|[*?]/g, (wildcard) => ({ "*": "[^]*", "?": "[^]", "\\*": "\\*" })[wildcard]!)}$`,
      );
    fc.assert(
      fc.property(pattern, text, (source, value) => {
        expect(matchesText(source, value)).toBe(expected(source).test(value));
      }),
      { numRuns: 20_000 },
    );
  });

  // Tried by a regular expression, this takes longer than anybody waits.
  it("come to an end on a text that almost matches", () => {
    expect(matchesText(`${"*a".repeat(12)}*b?`, "a".repeat(20_000))).toBe(false);
    expect(matchesText(`${"*a".repeat(12)}*b?`, `${"a".repeat(20_000)}bc`)).toBe(true);
  });
});

describe("searches", () => {
  it("join the lines of a map by and, maps of a list by or", () => {
    const search: Search = [{ a: "1x", b: "2x" }, { c: "3x" }];
    expect(matches(search, { a: "1x", b: "2x" })).toBe(true);
    expect(matches(search, { a: "1x" })).toBe(false);
    expect(matches(search, { c: "3x" })).toBe(true);
  });

  it("look for keywords in the whole text", () => {
    expect(matches(["ROUTE to 169"], {}, "dhcpcd: adding host route to 169.254.169.254")).toBe(true);
    expect(matches({ "|all": ["dhcpcd", "nothing"] }, {}, "dhcpcd: adding")).toBe(false);
    expect(matches(["a*z"], {}, "0 a b z 1")).toBe(true);
  });
});

describe("conditions", () => {
  const searches = {
    one: { a: "yes1" },
    two: { b: "yes2" },
    three: { c: "yes3" },
    filter_x: { d: "yes4" },
    _hidden: { e: "yes5" },
  };
  const fields = (...set: string[]): Record<string, unknown> =>
    Object.fromEntries(set.map((name) => [name, `yes${"abcde".indexOf(name) + 1}`]));

  it.each<[string, string[], boolean]>([
    ["one", ["a"], true],
    ["one and two", ["a"], false],
    ["one or two", ["b"], true],
    ["one or two and three", ["a"], true],
    ["(one or two) and three", ["a"], false],
    ["not one", [], true],
    ["not one and two", ["b"], true],
    ["not (one and two)", ["a"], true],
    ["NOT one AND two", ["b"], true],
    ["1 of t*", ["c"], true],
    ["all of t*", ["c"], false],
    ["all of t*", ["b", "c"], true],
    ["any of t*", ["b"], true],
    ["1 of them", ["e"], false],
    ["1 of them", ["d"], true],
    ["1 of o* and not 1 of filter_*", ["a"], true],
    ["1 of o* and not 1 of filter_*", ["a", "d"], false],
    ["((one))", ["a"], true],
    ["not not one", ["a"], true],
  ])("%s with %j: %s", (condition, set, expected) => {
    const record: LogRecord = { source: {}, fields: fields(...set), text: "" };
    expect(compileRule(ruleWith({ ...searches, condition })).matches(record)).toBe(expected);
  });

  it.each([
    "",
    "four",
    "one two",
    "one and",
    "(one",
    "one)",
    "not",
    "1 of",
    "1 of x*",
    "all of",
    "one | count() > 5",
    `${"(".repeat(100)}one${")".repeat(100)}`,
  ])("refuses %j", (condition) => {
    expect(() => compileRule(ruleWith({ ...searches, condition }))).toThrow(
      expect.objectContaining({ code: "ERR_INVALID_ARG_VALUE" }),
    );
  });

  it("are parsed or refused, whatever they are", () => {
    const words = fc.constantFrom("one", "two", "and", "or", "not", "(", ")", "1", "of", "all", "them", "t*", "*", "x");
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(words, { maxLength: 20 }).map((list) => list.join(" ")),
        ),
        (text) => {
          try {
            parseCondition(text, ["one", "two"]);
          } catch (error) {
            expect(error).toMatchObject({ name: "TypeError", code: "ERR_INVALID_ARG_VALUE" });
          }
        },
      ),
    );
  });
});

describe("what is outside the subset", () => {
  it.each<[string, Search]>([
    ["an unknown modifier", { "a|base64": "x" }],
    ["a broken expression", { "a|re": "(" }],
    ["a broken network", { "a|cidr": "10.0.0.0/99" }],
    ["a comparison with a text", { "a|gt": "5" }],
    ["exists with a text", { "a|exists": "yes" }],
    ["fieldref with a number", { "a|fieldref": 5 }],
    ["no value", { a: [] }],
  ])("is refused: %s", (_, search) => {
    expect(() => matches(search, {})).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARG_VALUE" }));
  });
});

describe("log sources", () => {
  it.each([
    [{ product: "zeek", service: "conn" }, { product: "zeek", service: "conn" }, true],
    [{ product: "zeek", service: "conn" }, { product: "zeek", service: "http" }, false],
    [{ product: "zeek" }, { product: "zeek", service: "http" }, true],
    [{ category: "firewall" }, { product: "linux", service: "syslog" }, false],
    [{ category: "process_creation", product: "linux" }, { category: "process_creation", product: "windows" }, false],
    [{}, { category: "proxy" }, true],
  ])("%j reads %j: %s", (wanted, found, expected) => {
    expect(readsFrom(wanted, found)).toBe(expected);
  });
});

describe("shipped rules on arbitrary records", { timeout: 60_000 }, () => {
  const compiled = SIGMA_RULES.flatMap(({ rule }) => (isDetectionRule(rule) ? [compileRule(rule)] : []));
  const names = [...new Set(compiled.flatMap(({ fields }) => fields))];
  const record = fc.dictionary(
    fc.constantFrom(...names, "userIdentity", "id", "__proto__"),
    fc.anything({ withNullPrototype: true, withBigInt: true, maxDepth: 2 }),
  );

  it("never throw", () => {
    fc.assert(
      fc.property(record, fc.string(), (fields, text) => {
        for (const { matches: ask } of compiled) expect(typeof ask({ source: {}, fields, text })).toBe("boolean");
      }),
    );
  });
});
