/** Files of rules, their mistakes, and who gets what by them. */
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { readPath } from "../../src/gateway/paths.js";
import type { Caller } from "../../src/gateway/rules.js";
import { judge } from "../../src/gateway/rules.js";
import { readRules } from "../../src/gateway/rules-file.js";

const NAMES = {
  uidOf: (name: string) => ({ root: 0, web: 1_500, batch: 1_600 })[name],
  gidOf: (name: string) => ({ ops: 900 })[name],
};
const CONTAINER = "0123456789ab".padEnd(64, "c");
const caller = (given: Partial<Caller> = {}): Caller => ({
  uid: 1_500,
  user: "web",
  gids: [1_500],
  pid: 1,
  program: "curl",
  unit: undefined,
  container: undefined,
  address: "10.0.0.5",
  bridge: undefined,
  ...given,
});
const ROLE = "/latest/meta-data/iam/security-credentials/app";

function verdict(text: string, who: Caller, path: string) {
  const { rules, problems } = readRules(text, NAMES);
  expect(problems).toEqual([]);
  return judge(rules, who, readPath(path)!, 1_000);
}

describe("without a rule", () => {
  it.each([
    ["root", caller({ uid: 0 }), ROLE, true],
    ["root", caller({ uid: 0 }), "/latest/meta-data/identity-credentials/ec2/info", true],
    ["a user of the system", caller({ uid: 33 }), ROLE, true],
    ["a user of the system", caller({ uid: 33 }), "/latest/user-data", true],
    ["a user of the system", caller({ uid: 33 }), "/latest/meta-data/identity-credentials/ec2/info", false],
    ["a dynamic user", caller({ uid: 61_184 }), ROLE, true],
    ["a dynamic user", caller({ uid: 65_519 }), ROLE, true],
    ["a user above", caller({ uid: 65_520 }), ROLE, false],
    ["a person", caller(), ROLE, false],
    ["a person", caller(), "/latest/user-data", false],
    ["a person", caller(), "/latest/meta-data/mac", true],
    ["nobody known", caller({ uid: undefined }), "/latest/meta-data/mac", true],
    ["nobody known", caller({ uid: undefined }), ROLE, false],
    ["nobody known", caller({ uid: undefined }), "/latest/user-data", false],
    ["a client on a bridge", caller({ uid: undefined, bridge: "docker0" }), "/latest/meta-data/mac", true],
    ["a client on a bridge", caller({ uid: undefined, bridge: "docker0" }), ROLE, false],
  ])("%s asks for %s", (_, who, path, allowed) => {
    expect(verdict("", who, path).allowed).toBe(allowed);
  });
});

describe("a rule", () => {
  it("that fits decides alone", () => {
    const text = '[[rule]]\nuser = "web"\n[[rule]]\nuser = "web"\nrole = true\n';
    expect(verdict(text, caller(), ROLE)).toMatchObject({ allowed: false, rule: 1 });
    expect(verdict(text, caller({ uid: 0 }), ROLE)).toMatchObject({ allowed: true, rule: 0 });
  });

  it.each([
    ['user = "web"', caller(), true],
    ["user = 1500", caller(), true],
    ['user = ["batch", 1500]', caller(), true],
    ['user = "batch"', caller(), false],
    ['user = "web"', caller({ uid: undefined }), false],
    ['group = "ops"', caller({ gids: [1_500, 900] }), true],
    ['group = "ops"', caller(), false],
    ['unit = "web.service"', caller({ unit: "web.service" }), true],
    ['unit = "web.service"', caller(), false],
    ['unit = "web.service"', caller({ unit: "other.service" }), false],
    ['unit = ["web.service", "x.service"]', caller({ unit: "x.service" }), true],
    ['group = ["ops", 901]', caller({ gids: [901] }), true],
    ['container = ["172.17.0.0/16", "0123456789ab"]', caller({ container: CONTAINER }), true],
    ['container = "0123456789ab"', caller(), false],
    ['user = "web"\ncontainer = "172.17.0.0/16"', caller({ bridge: "br0", address: "172.17.0.9" }), false],
    ['user = "web"\nunit = "web.service"', caller({ uid: 0, unit: "web.service" }), false],
    ['container = "0123456789ab"', caller({ container: CONTAINER }), true],
    ['container = "0123456789ac"', caller({ container: CONTAINER }), false],
    ['container = "172.17.0.0/16"', caller({ uid: undefined, bridge: "docker0", address: "172.17.0.9" }), true],
    ['container = "172.17.0.0/16"', caller({ address: "172.17.0.9" }), false],
    ['user = "web"', caller({ uid: 1_500, bridge: "docker0" }), false],
    ["# for everybody", caller(), true],
    ["# for everybody who can be told", caller({ uid: undefined }), false],
    ["# for everybody who can be told", caller({ uid: undefined, bridge: "docker0" }), false],
  ])("%s", (condition, who, fits) => {
    expect(verdict(`[[rule]]\n${condition}\nrole = "app"\n`, who, ROLE).rule).toBe(fits ? 1 : 0);
  });

  it.each([
    ["", "/latest/meta-data/mac", true],
    ["", "/latest/user-data", false],
    ["", ROLE, false],
    ["user_data = true", "/latest/user-data", true],
    ['role = "app"', ROLE, true],
    ["role = true", ROLE, true],
    ["role = false", ROLE, false],
    ['paths = ["/latest/**"]', ROLE, false],
    ['paths = ["/latest/**"]', "/latest/user-data", false],
    ['paths = ["/latest/**"]', "/latest/meta-data/identity-credentials/ec2/info", false],
    ['paths = ["/latest/meta-data/mac"]\nrole = true', ROLE, true],
    ['paths = ["/latest/meta-data/mac", "/latest/meta-data/ami-id"]', "/latest/meta-data/ami-id", true],
    ['role = ["other"]', ROLE, true],
    ['paths = ["/latest/meta-data/mac"]', "/latest/meta-data/hostname", false],
    ['paths = ["/latest/meta-data/mac"]', "/2021-03-23//meta-data/mac/", true],
  ])("with %j, asked for %s: %s", (what, path, allowed) => {
    expect(verdict(`[[rule]]\nuser = "web"\n${what}\n`, caller(), path).allowed).toBe(allowed);
  });
});

describe("a mistake", () => {
  it.each([
    ["[[rule]]\nusr = 1\n", 2, 1, "did you mean user?"],
    ["[[rule]]\nuser = 1\n\n[[rule]]\n  role = 5\n", 5, 3, "role is"],
    ["[[rule]]\nuser = []\n", 2, 1, "empty list"],
    ['[[rule]]\npaths = ["/meta-data"]\n', 2, 1, "begins with /latest/"],
    ['[[rule]]\nuser_data = "yes"\n', 2, 1, "true or false"],
    ['[[rule]]\nunit = "x"\n', 2, 1, "unit is"],
    ['[[rule]]\ncontainer = "web"\n', 2, 1, "container is"],
    ["[[rule]]\nuser = -1\n", 2, 1, "user is"],
    ["[[rule]]\nuser = 1.5\n", 2, 1, "user is"],
    ["[[rules]]\nuser = 1\n", 1, 1, "did you mean [[rule]]"],
    ["[rule]\nuser = 1\n", 1, 1, "one table"],
    ["[[rule]]\nuser = \n", 2, undefined, ""],
    ["[[rule]]\nuser = 1\nuser = 2\n", 3, undefined, ""],
  ])("%j is found at its place", (text, line, column, says) => {
    const { problems, rules } = readRules(text, NAMES);
    expect(rules).toEqual([]);
    expect(problems[0]).toMatchObject({ line, ...(column !== undefined && { column }) });
    expect(problems[0]?.message).toContain(says);
  });

  it("in one rule leaves none in force", () => {
    expect(readRules('[[rule]]\nuser = "web"\nrole = true\n[[rule]]\nrole = 1\n', NAMES).rules).toEqual([]);
  });

  it("is no user that this host does not have, who gets nothing by it", () => {
    const { rules, notes } = readRules('[[rule]]\nuser = "gone"\nrole = true\n', NAMES);
    expect(notes).toMatchObject([{ line: 2 }]);
    expect(judge(rules, caller({ uid: undefined }), readPath(ROLE)!, 1_000)).toMatchObject({ allowed: false, rule: 0 });
  });
});

test("any text is read or its mistakes are told, with places that exist", () => {
  const word = fc.constantFrom(
    "[[rule]]",
    "\n",
    "user",
    "=",
    " ",
    '"web"',
    "1",
    "[",
    "]",
    "role",
    "true",
    "paths",
    '"/latest/**"',
    "__proto__",
    ".",
    "{",
    "}",
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 30 }), (words) => {
      const text = words.join("");
      const { problems } = readRules(text, NAMES);
      for (const { line, column } of problems) {
        expect(line).toBeGreaterThan(0);
        expect(line).toBeLessThanOrEqual(text.split("\n").length + 1);
        expect(column).toBeGreaterThan(0);
      }
    }),
  );
});

describe("the verdict in words", () => {
  const RULES = readRules(
    '[[rule]]\nuser = "batch"\nrole = ["a", "b"]\n[[rule]]\nuser = "web"\npaths = ["/latest/meta-data/mac"]\n[[rule]]\ngroup = "ops"\nrole = true\nuser_data = true\n',
    NAMES,
  ).rules;
  const ops = caller({ uid: 1_700, gids: [900] });
  const batch = caller({ uid: 1_600, gids: [] });
  const IDENTITY = "/latest/meta-data/identity-credentials/ec2/info";
  it.each<[Caller, string, boolean, readonly string[] | true, string, number]>([
    [batch, ROLE, true, ["a", "b"], "rule 1 gives no role", 1],
    [batch, "/latest/user-data", false, ["a", "b"], "rule 1 gives no user data", 1],
    [batch, IDENTITY, false, ["a", "b"], "identity credentials are for root alone", 1],
    [batch, "/latest/api/token", true, ["a", "b"], "", 1],
    [caller(), "/latest/meta-data/hostname", false, [], "rule 2 does not name this path", 2],
    [caller(), "/latest/api/token", true, [], "", 2],
    [caller(), ROLE, false, [], "rule 2 gives no role", 2],
    [ops, ROLE, true, true, "rule 3 gives no role", 3],
    [ops, "/latest/user-data", true, true, "rule 3 gives no user data", 3],
    [caller({ uid: 1_800 }), ROLE, false, true, "no rule gives this user a role", 0],
    [caller({ uid: 1_800 }), "/latest/user-data", false, true, "no rule gives this user user data", 0],
    [caller({ uid: 1_800 }), "/latest/api/token", true, true, "", 0],
    [caller({ uid: undefined }), ROLE, false, true, "no rule gives a caller that cannot be told a role", 0],
    [caller({ uid: undefined, bridge: "b0" }), ROLE, false, true, "no rule gives a client on a bridge a role", 0],
    [caller({ uid: 0, gids: [] }), IDENTITY, true, true, "identity credentials are for root alone", 0],
    [caller({ uid: 0, gids: [], bridge: "b0" }), IDENTITY, false, true, "identity credentials are for root alone", 0],
    [caller({ uid: 999, gids: [] }), ROLE, true, true, "", 0],
    [caller({ uid: 1_000, gids: [] }), ROLE, false, true, "no rule gives this user a role", 0],
    [caller({ uid: 999, gids: [], bridge: "b0" }), ROLE, false, true, "no rule gives a client on a bridge a role", 0],
  ])("%j for %s", (who, path, allowed, role, reason, rule) => {
    expect(judge(RULES, who, readPath(path)!, 1_000)).toEqual({ allowed, role, reason, rule });
  });

  it("of a rule for root alone gives root its identity credentials, and none to root on a bridge", () => {
    const { rules } = readRules('[[rule]]\nuser = "root"\n[[rule]]\ncontainer = "10.0.0.0/8"\n', NAMES);
    const ask = (who: Caller) => judge(rules, who, readPath(IDENTITY)!, 1_000);
    expect(ask(caller({ uid: 0 }))).toMatchObject({ allowed: true, rule: 1 });
    expect(ask(caller({ uid: 0, bridge: "b0" }))).toMatchObject({ allowed: false, rule: 2 });
    expect(ask(caller({ uid: 0, bridge: "b0", address: "::ffff:10.1.2.3" }))).toMatchObject({ rule: 2 });
    expect(ask(caller({ uid: 0, bridge: "b0", address: "11.1.2.3" }))).toMatchObject({ rule: 0 });
  });
});

describe("a complaint has its words, line and column", () => {
  const told = (text: string) => readRules(text, NAMES).problems.map((p) => `${p.line}:${p.column} ${p.message}`);
  const ID =
    "the id of a container (12 to 64 hexadecimal digits), or the address or network of clients on a bridge is allowed";
  it.each([
    ["[[rules]]", '1:1 "rules" is not known here; did you mean [[rule]]'],
    [
      "x = 1\n  zebra = 1",
      [
        '1:1 "x" is not known here; rules are written [[rule]]',
        '2:3 "zebra" is not known here; rules are written [[rule]]',
      ],
    ],
    ["# a\n[rule]\nuser = 1", "2:1 rule is one table; rules are written [[rule]]"],
    ["rule = 5", "1:1 rule is one table; rules are written [[rule]]"],
    ["[[rule]]\n\n  usr = 1", '3:3 "usr" is not known; did you mean user?'],
    ["[[rule]]\nzebra = 1", '2:1 "zebra" is not known; allowed: user, group, unit, container, paths, role, user_data'],
    ["[[rule]]\nuser = 1\n[[rule]]\n\tuser = -1", '4:2 user is "-1"; a name or a number is allowed'],
    ["[[rule]]\nuser = 4294967295", '2:1 user is "4294967295"; a name or a number is allowed'],
    ["[[rule]]\nuser = 4294967294", []],
    ["[[rule]]\nuser = 0.5", '2:1 user is "0.5"; a name or a number is allowed'],
    ["[[rule]]\ngroup = true", '2:1 group is "true"; a name or a number is allowed'],
    ['[[rule]]\nuser = ""', '2:1 user is ""; a name or a number is allowed'],
    ["[[rule]]\nuser = []", "2:1 user is an empty list; a name or a number, or a list of them is allowed"],
    ["[[rule]]\ngroup = [{ a = 1 }]", '2:1 group is "{\\"a\\":1}"; a name or a number is allowed'],
    ["[[rule]]\nuser = 2020-01-01", '2:1 user is "2020-01-01"; a name or a number is allowed'],
    ['[[rule]]\nunit = "x"', '2:1 unit is "x"; the name of a unit such as amazon-ssm-agent.service is allowed'],
    [
      "[[rule]]\nunit = []",
      "2:1 unit is an empty list; the name of a unit such as amazon-ssm-agent.service is allowed",
    ],
    ['[[rule]]\ncontainer = "0123456789a"', `2:1 container is "0123456789a"; ${ID}`],
    ["[[rule]]\ncontainer = []", `2:1 container is an empty list; ${ID}`],
    [
      '[[rule]]\npaths = ["/x"]',
      '2:1 "/x" is no path; it begins with /latest/, * stays in a segment and ** spans them',
    ],
    ["[[rule]]\npaths = 5", '2:1 "5" is no path; it begins with /latest/, * stays in a segment and ** spans them'],
    ["[[rule]]\npaths = []", "2:1 paths is an empty list; a list of paths is allowed"],
    ["[[rule]]\nrole = 5", '2:1 role is "5"; the name of an IAM role is allowed'],
    ['[[rule]]\nrole = "a b"', '2:1 role is "a b"; the name of an IAM role is allowed'],
    ["[[rule]]\nrole = []", "2:1 role is an empty list; a name, a list of names, or true is allowed"],
    ['[[rule]]\nuser_data = "x"', '2:1 user_data is "x"; true or false is allowed'],
    ["[[ \"rule\" ]]\nuser = 1\n  [['rule']]\nrole = 5", '4:1 role is "5"; the name of an IAM role is allowed'],
    ['[[rule]]\nrole = [\n  "a",\n  5,\n]', '2:1 role is "5"; the name of an IAM role is allowed'],
    ["rule = [{ user = 1 }, { role = 5 }]", '1:1 role is "5"; the name of an IAM role is allowed'],
    [
      `[[rule]]\nrole = "${"a b".repeat(100)}"`,
      `2:1 role is "${"a b".repeat(34).slice(0, 100)}"; the name of an IAM role is allowed`,
    ],
    ["[[rule]]\nuser = ", "2:8 invalid value"],
  ])("%j", (text, expected) => {
    expect(told(text)).toEqual(typeof expected === "string" ? [expected] : expected);
  });

  it("and so has a user or group that this host does not have, which is no mistake", () => {
    const { rules, problems, notes } = readRules('[[rule]]\nuser = "nobody2"\n  group = ["ops", "x"]\n', NAMES);
    expect(problems).toEqual([]);
    expect(notes.map(({ line, column, message }) => `${line}:${column} ${message}`)).toEqual([
      "2:1 this host has no user nobody2: the rule fits nobody by that name",
      "3:3 this host has no group x: the rule fits nobody by that name",
    ]);
    expect(rules).toMatchObject([{ users: [], groups: [900] }]);
  });

  it("a thousand rules may be there, and not one more", () => {
    const many = (count: number) => readRules("[[rule]]\nuser = 1\n".repeat(count), NAMES);
    expect(many(1_000).rules).toHaveLength(1_000);
    expect(many(1_001).problems).toEqual([{ line: 1, column: 1, message: "1001 rules; at most 1000 are allowed" }]);
  });
});
