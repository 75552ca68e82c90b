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
