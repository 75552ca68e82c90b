/** The attack matrix judges rightly: what it would call a leak, a hang or silence, so that its zeros mean something. */
import { describe, expect, test } from "vitest";
import { ATTACKS, KINDS, RIGHTFUL } from "./catalogue.mjs";
import { DEADLINE_MS, ENTRIES } from "./entries.mjs";
import { cellOf, goalsOf } from "./judge.mjs";
import { page } from "./page.mjs";
import { planOf } from "./plan.mjs";
import { accessKeyIdFor } from "../support/access-keys.mjs";

const told = {
  values: [] as string[],
  events: ["imds.refused_not_ec2"],
  earlier: [],
  ms: 5,
  growth: 1_000,
  unhandled: 0,
};
const doorOf = (name: string) => ENTRIES.find((entry) => entry.name === name)!;
const judged = (change: object, door = "chain", host = "ec2-nitro", attack = {}) =>
  cellOf({ kind: "content", name: "x", ...attack }, host, doorOf(door), { ...told, ...change }, true);
const missedBy = (cell: ReturnType<typeof judged>) =>
  goalsOf([cell])
    .filter(({ met }) => !met)
    .map(({ what }) => what.split(" ")[0]);

describe("a cell", () => {
  test.each([
    ["an error of the guard", { code: "ERR_IMDS_NOT_EC2" }, "chain", "refused", []],
    ["the instance's own key", { values: [accessKeyIdFor(RIGHTFUL.account)] }, "chain", "rightful", []],
    ["a stranger's key", { values: [accessKeyIdFor("666666666666")] }, "chain", "credentials", ["credentials,"]],
    [
      "a stranger's key before an error",
      { values: [accessKeyIdFor("666666666666")], code: "ERR_IMDS_TIMEOUT" },
      "exec",
      "credentials",
      ["credentials,"],
    ],
    ["a key that encodes no account", { values: ["AKIAIOSFODNN7EXAMPLE"] }, "preload", "credentials", ["credentials,"]],
    ["a stranger's region", { values: ["us-east-1"] }, "region", "region", ["credentials,"]],
    ["a stranger's instance", { values: ["i-0bad0bad0bad0bad0"] }, "metadata", "metadata", ["credentials,"]],
    ["no end", { gaveUp: "time" }, "chain", "hang", ["hangs"]],
    ["an end past the deadline", { code: "ERR_IMDS_TIMEOUT", ms: DEADLINE_MS + 2_000 }, "chain", "hang", ["hangs"]],
    ["no memory left", { gaveUp: "memory" }, "chain", "memory", ["growth"]],
    ["5 MiB", { code: "ERR_IMDS_TOO_LARGE", growth: 5 * 2 ** 20 }, "chain", "refused", ["growth"]],
    ["silence", { code: "ERR_IMDS_MALFORMED", events: [] }, "chain", "refused", ["impersonations"]],
    ["a bug", { code: "TypeError" }, "chain", "odd", ["errors"]],
    ["neither value nor error", {}, "chain", "odd", ["errors"]],
    ["a rejection nobody handled", { code: "ERR_IMDS_TIMEOUT", unhandled: 1 }, "chain", "refused", ["unhandled"]],
  ] as const)("%s", (_, change, door, status, missed) => {
    const cell = judged(change, door);
    expect(cell.status).toBe(status);
    expect(missedBy(cell)).toEqual(missed);
  });

  test("of a client that died is a hang", () => {
    expect(missedBy(cellOf({ kind: "content", name: "x" }, "laptop", doorOf("chain"), undefined, true))).toContain(
      "hangs",
    );
  });

  test("may rest on what a long-lived guard told before only where nothing is asked", () => {
    const quiet = { code: "ERR_IMDS_NOT_EC2", events: [], earlier: ["imds.refused_not_ec2"] };
    expect(missedBy(judged(quiet, "preload", "laptop"))).toEqual([]);
    expect(missedBy(judged(quiet, "preload", "ec2-nitro"))).toEqual(["impersonations"]);
    expect(missedBy(judged(quiet, "chain", "laptop"))).toEqual(["impersonations"]);
  });

  test("is conceded only at the door that the settings leave open", () => {
    const attack = { concedes: { metadata: "no proof is asked for" } };
    expect(judged({ values: ["i-0bad0bad0bad0bad0"] }, "metadata", "ec2-nitro", attack).status).toBe("conceded");
    expect(judged({ values: [accessKeyIdFor("666666666666")] }, "chain", "ec2-nitro", attack).status).toBe(
      "credentials",
    );
  });

  test("concedes a variant of a door what it concedes the door, and no variant of another", () => {
    const attack = { concedes: { metadata: "no proof is asked for" } };
    const change = { values: ["i-0bad0bad0bad0bad0"], events: [] };
    expect(judged(change, "polluted metadata", "ec2-nitro", attack).status).toBe("conceded");
    expect(judged({ ...change, values: ["us-east-1"] }, "polluted region", "ec2-nitro", attack).status).toBe("region");
    const doors = ENTRIES.filter(({ of }) => of === undefined).map(({ name }) => name);
    for (const { of, asks, gives } of ENTRIES) {
      if (of === undefined) continue;
      expect(doors).toContain(of);
      expect([gives, asks === "stock-chain"]).toEqual([doorOf(of).gives, doorOf(of).asks === "stock-chain"]);
    }
  });

  test("off EC2 counts packets", () => {
    expect(
      missedBy({ ...judged({ code: "ERR_IMDS_NOT_EC2" }, "chain", "laptop"), connections: 1, datagrams: 0 }),
    ).toEqual(["cells"]);
  });

  test("of a genuine host that was refused is a miss", () => {
    expect(missedBy(judged({ code: "ERR_IMDS_TIMEOUT" }, "chain", "ec2-nitro", { kind: "genuine" }))).toEqual([
      "false",
    ]);
  });
});

describe("the catalogue", () => {
  test("has a name of its own, a kind and a sentence for every attack", () => {
    expect(new Set(ATTACKS.map(({ name }) => name)).size).toBe(ATTACKS.length);
    expect(ATTACKS.filter(({ kind, sentence }) => !KINDS.includes(kind) || sentence.length < 10)).toEqual([]);
    expect(KINDS.filter((kind) => !ATTACKS.some((attack) => attack.kind === kind))).toEqual([]);
  });

  test("is sampled by kind in the quick form, and whole in the other", () => {
    const [quick, full] = [planOf(true, ENTRIES), planOf(false, ENTRIES)];
    expect(new Set(quick.attacks.map(({ kind }) => kind)).size).toBe(KINDS.length);
    expect(full.attacks).toEqual(ATTACKS);
    const doors = new Set(quick.assignments.flatMap(({ entries }) => entries.map(({ name }) => name)));
    expect([...doors].toSorted()).toEqual(ENTRIES.map(({ name }) => name).toSorted());
  });

  test("goes through the doors that are named, and no other", () => {
    for (const door of ENTRIES) {
      const { assignments, alone } = planOf(false, [door]);
      expect(new Set([...assignments, ...alone].flatMap(({ entries }) => entries))).toEqual(new Set([door]));
      expect(assignments.every(({ entries, attacks }) => entries.length === 1 && attacks.length > 0)).toBe(true);
    }
  });
});

test("the page loads nothing from anywhere and shows what is hostile as text", () => {
  const attack = { name: "x", kind: "content", sentence: "<script>alert(1)</script>" };
  const cell = judged({ code: '"><img src=x>' });
  const about = { hosts: [{ name: "ec2-nitro", sentence: "EC2", ec2: true }], entries: [], platform: "", cpu: "" };
  const html = page({ about, goals: goalsOf([cell]), attacks: [attack], cells: [cell], stock: [] });
  expect(html).not.toMatch(/<script>alert|<img|\bsrc=["']?http|@import|url\(|<link/);
  expect(html).toContain("&#60;script&#62;");
});
