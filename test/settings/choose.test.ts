/** Whose word counts where several sources say something of one setting. */
import { describe, expect, test } from "vitest";
import type { Sources } from "../../src/settings/choose.js";
import { choose } from "../../src/settings/choose.js";
import { environmentOf } from "../../src/settings/environment.js";
import type { SettingName } from "../../src/settings/table.js";
import { SETTINGS, specOf } from "../../src/settings/table.js";
import { fc } from "../support/properties.js";
import { golden, refusalOf } from "../support/wording.js";

/** What each source says of one setting, as text where it is text. */
interface Said {
  readonly option?: unknown;
  readonly env?: string;
  readonly credentials?: readonly string[];
  readonly config?: readonly string[];
  readonly machine?: string;
}

function sources(name: SettingName, { option, env, credentials = [], config = [], machine }: Said): Sources {
  const setting = specOf(name);
  const keys = (values: readonly string[]): ReadonlyMap<string, readonly string[]> =>
    new Map(values.length === 0 ? [] : [[setting.key, values]]);
  return {
    options: option === undefined ? {} : { [name]: option },
    env: environmentOf({ env: env === undefined ? {} : { [setting.env]: env }, platform: "linux" }),
    files: [
      { kind: "credentials", keys: keys(credentials) },
      { kind: "config", keys: keys(config) },
    ],
    machine: new Map(machine === undefined ? [] : [[setting.key, machine]]),
  };
}

const chosen = (name: SettingName, said: Said): unknown => {
  const found = choose(name, sources(name, said));
  return found && [found.source, found.value];
};

const refused = (name: SettingName, said: Said): object => refusalOf(() => choose(name, sources(name, said)));

const [ONE, TWO, THREE] = ["111122223333", "222233334444", "333344445555"] as const;

test.each<[string, SettingName, Said, unknown]>([
  ["nobody says anything", "mode", {}, undefined],
  ["the option", "mode", { option: "allow" }, ["option", "allow"]],
  ["the variable", "mode", { env: "allow" }, ["environment", "allow"]],
  ["the credentials file", "mode", { credentials: ["allow"] }, ["profile", "allow"]],
  ["the config file", "mode", { config: ["allow"] }, ["profile", "allow"]],
  ["the option before the variable", "mode", { option: "allow", env: "ec2-only" }, ["option", "allow"]],
  ["the variable before the files", "mode", { env: "allow", credentials: ["ec2-only"] }, ["environment", "allow"]],
  ["the credentials file first", "mode", { credentials: ["allow"], config: ["ec2-only"] }, ["profile", "allow"]],
  ["the strictest word from furthest away", "mode", { option: "allow", config: ["deny"] }, ["profile", "deny"]],
  ["the strictest of a variable", "attestation", { option: "off", env: "required" }, ["environment", "required"]],
  ["the stricter of two in one file", "mode", { config: ["allow", "ec2-only"] }, ["profile", "ec2-only"]],
  [
    "the stricter of two in one file, the first of them",
    "mode",
    { config: ["ec2-only", "allow"] },
    ["profile", "ec2-only"],
  ],
  ["white space around a word", "mode", { env: " deny\t" }, ["environment", "deny"]],
  ["an empty variable says nothing", "mode", { env: "", config: ["deny"] }, ["profile", "deny"]],
  ["an empty key says nothing", "mode", { credentials: [""], config: ["", "deny"] }, ["profile", "deny"]],
  ["all that is empty says nothing", "timeout", { env: "", credentials: [""], config: [""] }, undefined],

  ["a setting without a strict form", "timeout", { option: 60, env: "70", config: ["80"] }, ["option", 60]],
  ["the same value twice in a file", "timeout", { config: ["80", " 80"] }, ["profile", 80]],
  ["a setting without a strict form on the machine", "timeout", { env: "70", machine: "60" }, ["environment", 70]],
  ["the machine alone, of a setting that it cannot tighten", "timeout", { machine: "60" }, undefined],

  ["one list", "expectedAccounts", { env: `${ONE}, ${TWO}` }, ["environment", [ONE, TWO]]],
  ["a list with an entry twice", "expectedAccounts", { env: `${ONE},${ONE}` }, ["environment", [ONE]]],
  ["lists narrow each other", "expectedAccounts", { option: [ONE, TWO], env: TWO }, ["option", [TWO]]],
  ["in any order", "expectedAccounts", { option: [ONE], env: `${TWO},${ONE}`, config: [ONE] }, ["option", [ONE]]],
  ["two lists in one file", "expectedAccounts", { config: [`${ONE},${TWO}`, `${TWO},${THREE}`] }, ["profile", [TWO]]],
  [
    "a list of what is allowed is no list of what is expected",
    "firewallAllow",
    { option: ["dns"], env: "ntp" },
    ["option", ["dns"]],
  ],

  ["the machine tightens the default", "mode", { machine: "deny" }, ["machine", "deny"]],
  ["the machine's default word changes nothing", "mode", { machine: "ec2-only" }, undefined],
  ["the machine cannot loosen", "mode", { machine: "allow" }, undefined],
  ["the machine cannot loosen what is set", "mode", { env: "deny", machine: "allow" }, ["environment", "deny"]],
  ["the machine tightens what is set", "mode", { option: "allow", machine: "ec2-only" }, ["machine", "ec2-only"]],
  ["the machine as strict as what is set", "mode", { option: "deny", machine: "deny" }, ["option", "deny"]],
  ["the machine's list alone", "expectedAccounts", { machine: ONE }, ["machine", [ONE]]],
  ["the machine's list narrows", "expectedAccounts", { env: `${ONE},${TWO}`, machine: TWO }, ["machine", [TWO]]],
  [
    "the machine's list that leaves all",
    "expectedAccounts",
    { env: ONE, machine: `${TWO},${ONE}` },
    ["environment", [ONE]],
  ],
  ["the machine's list of what is allowed alone", "firewallAllow", { machine: "dns" }, undefined],
  ["the machine's list of what is allowed", "firewallAllow", { env: "dns,ntp", machine: "ntp" }, ["machine", ["ntp"]]],
  [
    "the machine's list of what is allowed leaves nothing",
    "firewallAllow",
    { env: "dns", machine: "ntp" },
    ["machine", []],
  ],
])("%s", (_, name, said, wanted) => {
  expect(chosen(name, said)).toEqual(wanted);
});

test("every sentence is the one that is kept", async () => {
  const texts = {
    "a word that is not allowed": refused("mode", { env: "alow" }),
    "a word that is not allowed in a file, the other source is right": refused("mode", {
      env: "deny",
      config: ["alow"],
    }),
    "a word of the machine that is not allowed": refused("mode", { machine: "alow" }),
    "a list that is empty in a variable": refused("expectedAccounts", { env: "" }),
    "a list that is empty in a file": refused("expectedRoles", { config: [""] }),
    "two values in one file": refused("timeout", { config: ["70", "80"] }),
    "two words in one file": refused("log", { config: ["info", "off"] }),
    "lists with nothing in common": refused("expectedAccounts", { option: [ONE, TWO], env: THREE, config: [ONE] }),
    "lists with nothing in common in one file": refused("expectedRegions", { config: ["us-east-1", "eu-west-1"] }),
    "a list with nothing of the machine's": refused("expectedAccounts", {
      env: `${ONE},${TWO}`,
      machine: `${THREE},444455556666`,
    }),
  };
  await expect(golden(texts)).toMatchFileSnapshot("golden/choices.json");
});

describe("whatever the sources say", () => {
  const worded = SETTINGS.flatMap(({ name, tightens }) =>
    tightens !== undefined && "words" in tightens ? [{ name, ...tightens }] : [],
  );
  const anySaid = fc.constantFrom(...worded).chain(({ name, words, byDefault }) => {
    const word = fc.constantFrom(...words);
    const optional = fc.option(word, { nil: undefined });
    return fc.record({
      name: fc.constant(name),
      words: fc.constant(words),
      byDefault: fc.constant(byDefault),
      option: optional,
      env: optional,
      credentials: fc.array(word, { maxLength: 2 }),
      config: fc.array(word, { maxLength: 2 }),
      machine: optional,
    });
  });

  test("the strictest word wins, and the machine is never looser", () => {
    fc.assert(
      fc.property(anySaid, ({ name, words, byDefault, ...said }) => {
        const given = Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined)) as Said;
        const result = choose(name, sources(name, given))?.value ?? byDefault;
        const rank = (word: unknown): number => words.indexOf(word as string);
        const all = [said.option, said.env, ...said.credentials, ...said.config, said.machine].filter(Boolean);
        if (all.includes(words.at(-1))) expect(result).toBe(words.at(-1));
        if (said.machine !== undefined) expect(rank(result)).toBeGreaterThanOrEqual(rank(said.machine));
        expect([byDefault, ...all]).toContain(result);
      }),
    );
  });

  test("a list only becomes shorter, and never empty", () => {
    const account = fc.constantFrom(ONE, TWO, THREE);
    const list = fc.uniqueArray(account, { minLength: 1 });
    const optional = fc.option(list, { nil: undefined });
    fc.assert(
      fc.property(optional, optional, fc.array(list, { maxLength: 2 }), optional, (option, env, config, machine) => {
        const said = {
          ...(option && { option }),
          ...(env && { env: env.join() }),
          config: config.map((entries) => entries.join()),
          ...(machine && { machine: machine.join() }),
        };
        const lists = [option, env, ...config, machine].filter((entries) => entries !== undefined);
        const common = [ONE, TWO, THREE].filter((entry) => lists.every((entries) => entries.includes(entry)));
        if (lists.length === 0) expect(chosen("expectedAccounts", said)).toBeUndefined();
        else if (common.length === 0) expect(refused("expectedAccounts", said)).toBeDefined();
        else {
          const result = choose("expectedAccounts", sources("expectedAccounts", said))?.value as string[];
          expect([...result].sort()).toEqual(common);
        }
      }),
    );
  });
});
