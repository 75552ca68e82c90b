import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { readPlan, undoText } from "../../src/fleet/plan.js";
import type { Fleet, StandInRegion } from "./run-fleet.js";
import { openFleet } from "./run-fleet.js";

const OWN = "123456789012";
const OPTIONS = {
  HttpTokens: "optional",
  HttpEndpoint: "enabled",
  HttpPutResponseHopLimit: 2,
  HttpProtocolIpv6: "enabled",
  InstanceMetadataTags: "enabled",
};

let fleet: Fleet | undefined;
afterEach(async () => {
  await fleet?.close();
  fleet = undefined;
});

/** A fleet of one region, with something of every kind, and the path of a plan for it. */
async function planned(
  more: Parameters<typeof openFleet>[0] = {},
): Promise<{ fleet: Fleet; region: StandInRegion; plan: string; undo: string }> {
  const opened = await openFleet(more);
  fleet = opened;
  const region = opened.region(OWN, "eu-central-1");
  region.instances.push(
    { id: "i-0000000000000000a", options: { ...OPTIONS }, points: [[2, 0]] },
    { id: "i-0000000000000000b", options: { ...OPTIONS }, points: [[2, 1]] },
    { id: "i-0000000000000000c", options: { ...OPTIONS }, tags: { IMDS: "v1" }, points: [[2, 0]] },
    { id: "i-0000000000000000d", options: { ...OPTIONS }, points: [[2, 0]] },
    { id: "i-0000000000000000e", options: { ...OPTIONS } },
  );
  region.templates.push({
    id: "lt-0000000000000000a",
    name: "web",
    default: 1,
    versions: [
      { options: { HttpTokens: "optional", HttpPutResponseHopLimit: 2 }, data: { ImageId: "ami-1" } },
      { data: { ImageId: "ami-2" } },
    ],
  });
  region.groups.push({ name: "g", template: { id: "lt-0000000000000000a", version: "$Latest" } });
  const plan = join(opened.folder, "plan.json");
  expect((await opened.run("plan", "--out", plan)).exitCode).toBe(0);
  return { fleet: opened, region, plan, undo: join(opened.folder, "plan.undo.json") };
}

function tokensOf(region: StandInRegion): string {
  return region.instances.map(({ options }) => (options.HttpTokens === "required" ? "r" : "o")).join("");
}

describe("fleet plan, apply and undo", () => {
  it("change what is safe, in their order, and bring everything back", async () => {
    const { fleet, region, plan, undo } = await planned();
    const before = structuredClone(region);
    const steps = (JSON.parse(readFileSync(plan, "utf8")) as { steps: { kind: string; id?: string }[] }).steps;
    expect(steps.map(({ kind, id }) => id ?? kind)).toEqual([
      "lt-0000000000000000a",
      "metadata-defaults",
      "i-0000000000000000a",
      "i-0000000000000000d",
    ]);
    const applied = await fleet.run("apply", plan, "--yes", "--rate", "20", "--json");
    expect(applied.json).toMatchObject({ changed: 4, failed: 0, left: 0 });
    expect(tokensOf(region)).toBe("rooro");
    expect(region.instances[0]?.options).toEqual({ ...OPTIONS, HttpTokens: "required" });
    expect(region.defaults).toEqual({ HttpTokens: "required" });
    const [web] = region.templates;
    expect(web?.default).toBe(3);
    expect(web?.versions.slice(2).map(({ options, data }) => ({ options, data }))).toEqual([
      { options: { HttpTokens: "required", HttpPutResponseHopLimit: 2 }, data: { ImageId: "ami-1" } },
      { options: { HttpTokens: "required" }, data: { ImageId: "ami-2" } },
    ]);
    expect((await fleet.run("apply", plan, "--yes")).stdout).toContain("nothing to change: 4");
    expect((await fleet.run("undo", undo, "--yes", "--rate", "20")).exitCode).toBe(0);
    expect(region.instances).toEqual(before.instances);
    expect(region.defaults).toEqual(before.defaults);
    expect(web?.default).toBe(1);
    // The group that takes the latest gets what it got before.
    expect(web?.versions.at(-1)).toMatchObject({ data: { ImageId: "ami-2" } });
    expect(web?.versions.at(-1)?.options).toBeUndefined();
    expect((await fleet.run("undo", undo, "--yes")).stdout).toContain("nothing to take back: 4");
  });

  it("change nothing without --yes where nobody can be asked", async () => {
    const { fleet, region, plan, undo } = await planned();
    const { exitCode, stderr } = await fleet.run("apply", plan);
    expect(exitCode).toBe(2);
    expect(stderr).toContain("nobody can be asked");
    expect(tokensOf(region)).toBe("ooooo");
    expect(existsSync(undo)).toBe(false);
  });

  it("change nothing at a rate that is not allowed", async () => {
    const { fleet, region, plan } = await planned();
    const { exitCode, stderr } = await fleet.run("apply", plan, "--yes", "--rate", "21");
    expect(stderr).toBe("--rate is 21; a whole number from 1 to 20 is allowed");
    expect(exitCode).toBe(2);
    expect(tokensOf(region)).toBe("ooooo");
  });

  it.each<[string, (region: StandInRegion) => void, string]>([
    [
      "an option",
      ({ instances }) => Object.assign(instances[0]?.options ?? {}, { HttpPutResponseHopLimit: 3 }),
      "its options have changed since: HttpPutResponseHopLimit 3",
    ],
    ["the tag", ({ instances }) => Object.assign(instances[3] ?? {}, { tags: { IMDS: "v1" } }), "it is tagged IMDS=v1"],
    ["a call", ({ instances }) => instances[3]?.points?.push([0, 2]), "it was called by version 1 since"],
    ["a version", ({ templates }) => templates[0]?.versions.push({}), "it has a version 3 since"],
    [
      "the default version",
      ({ templates }) => Object.assign(templates[0] ?? {}, { default: 2 }),
      "its default is version 2",
    ],
    [
      "the defaults",
      ({ defaults }) => Object.assign(defaults, { HttpTokens: "optional" }),
      "the defaults have changed",
    ],
  ])("refuse a plan that is older than %s", async (_, change, message) => {
    const { fleet, region, plan, undo } = await planned();
    change(region);
    const before = structuredClone(region);
    const { exitCode, stderr } = await fleet.run("apply", plan, "--yes");
    expect(stderr).toContain(message);
    expect(stderr).toContain("the plan is older than the state: nothing was changed");
    expect(exitCode).toBe(3);
    expect(region).toEqual(before);
    expect(existsSync(undo)).toBe(false);
  });

  describe.each(["is told to stop", "is cut off"])("where it %s", (how) => {
    it.each(Array.from({ length: 9 }, (_, index) => index + 1))(
      "at change %i, go on from there, and undo all of it",
      async (at) => {
        let changes = 0;
        let cut = false;
        const { fleet, region, plan, undo } = await planned({
          onAsked: ({ action }) => {
            if (!/^(?:Modify|Create)/.test(action) || ++changes !== at) return;
            if (how === "is cut off") cut = true;
            else fleet.interrupt();
          },
          fault: () => (cut ? "hang-up" : undefined),
        });
        const before = structuredClone(region);
        const first = await fleet.run("apply", plan, "--yes", "--rate", "20", "--json");
        const { left, failed } = first.json as { left: number; failed: number };
        expect(first.exitCode).toBe(left + failed > 0 ? 3 : 0);
        // While the first instance is changed, the second may have been begun or not.
        if (how === "is cut off" || at !== 5)
          expect(first.exitCode, "interrupted in the middle").toBe(at < (how === "is cut off" ? 7 : 6) ? 3 : 0);
        const kept = readFileSync(undo, "utf8");
        changes = Number.NEGATIVE_INFINITY;
        cut = false;
        expect((await fleet.run("apply", plan, "--yes", "--rate", "20")).exitCode).toBe(0);
        expect(tokensOf(region)).toBe("rooro");
        expect(region.templates[0]?.versions.at(-1)).toMatchObject({ data: { ImageId: "ami-2" } });
        expect(readFileSync(undo, "utf8")).toBe(kept);
        expect((await fleet.run("undo", undo, "--yes", "--rate", "20")).exitCode).toBe(0);
        expect(region.instances).toEqual(before.instances);
        expect(region.defaults).toEqual(before.defaults);
        expect(region.templates[0]?.default).toBe(1);
      },
    );
  });

  it("leave what somebody has changed meanwhile, and say so", async () => {
    const { fleet, region, plan, undo } = await planned();
    await fleet.run("apply", plan, "--yes", "--rate", "20");
    Object.assign(region.instances[0]?.options ?? {}, { HttpPutResponseHopLimit: 3 });
    const { exitCode, stderr } = await fleet.run("undo", undo, "--yes", "--rate", "20");
    expect(exitCode).toBe(3);
    expect(stderr).toContain("i-0000000000000000a (account 123456789012, eu-central-1) is left as it is");
    expect(region.instances.map(({ options }) => options.HttpTokens)).toEqual([
      "required",
      "optional",
      "optional",
      "optional",
      "optional",
    ]);
  });

  it("keep the first state where another run of the plan began meanwhile", async () => {
    let meanwhile: (() => void) | undefined;
    const { fleet, region, plan, undo } = await planned({
      fault: ({ action }) => {
        if (action === "DescribeInstances") meanwhile?.();
        return undefined;
      },
    });
    const before = structuredClone(region.instances);
    const read = readPlan(readFileSync(plan, "utf8"));
    // What the other one has done by the time at which this one looks
    meanwhile = () => {
      meanwhile = undefined;
      writeFileSync(undo, undoText(read, read.steps));
      Object.assign(region.instances[0]?.options ?? {}, { HttpTokens: "required" });
    };
    expect((await fleet.run("apply", plan, "--yes", "--rate", "20")).exitCode).toBe(0);
    expect(tokensOf(region)).toBe("rooro");
    expect((await fleet.run("undo", undo, "--yes", "--rate", "20")).exitCode).toBe(0);
    expect(region.instances).toEqual(before);
  });

  it("bring the first state back after two that ran at once", async () => {
    const { fleet, region, plan, undo } = await planned();
    const before = structuredClone(region);
    const both = await Promise.all([1, 2].map(() => fleet.run("apply", plan, "--yes", "--rate", "20")));
    // The one that comes second to the template says so, and both go on.
    for (const { exitCode, stderr } of both)
      expect(exitCode === 0 || /the default of lt-0000000000000000a is version \d and not \d/.test(stderr)).toBe(true);
    expect(tokensOf(region)).toBe("rooro");
    expect((await fleet.run("undo", undo, "--yes", "--rate", "20")).exitCode).toBe(0);
    expect(region.instances).toEqual(before.instances);
    expect(region.defaults).toEqual(before.defaults);
    expect(region.templates[0]?.default).toBe(1);
  });

  it("hold a template from which an instance comes that still uses version 1", async () => {
    const { fleet, region, plan } = await planned();
    Object.assign(region.instances[1] ?? {}, { tags: { "aws:autoscaling:groupName": "g" } });
    await fleet.run("plan", "--out", plan);
    const { steps, held } = JSON.parse(readFileSync(plan, "utf8")) as Record<string, { id?: string; why?: string }[]>;
    expect(steps?.map(({ id }) => id)).toEqual(["i-0000000000000000a", "i-0000000000000000d"]);
    expect(held?.[0]).toMatchObject({
      id: "lt-0000000000000000a",
      why: "i-0000000000000000b from it is still used by version 1",
    });
    // Its latest version states nothing, so that the account's default would change it as well.
    expect(held?.[1]).toMatchObject({ id: "account defaults" });
  });

  it("name the change that was denied, and make the others", async () => {
    const { fleet, region, plan } = await planned({
      fault: ({ action }) =>
        action === "CreateLaunchTemplateVersion" ? { status: 403, code: "UnauthorizedOperation" } : undefined,
    });
    const { exitCode, stderr, json } = await fleet.run("apply", plan, "--yes", "--rate", "20", "--json");
    expect(exitCode).toBe(3);
    expect(stderr).toContain(
      "lt-0000000000000000a (account 123456789012, eu-central-1): ec2:CreateLaunchTemplateVersion",
    );
    expect(json).toMatchObject({ changed: 3, failed: 1, left: 0 });
    expect(tokensOf(region)).toBe("rooro");
  });

  it.each([
    ["no JSON", "{", "it is no JSON"],
    ["another format", "{}", "it is no plan of imds-guard fleet"],
    ["a version of tomorrow", '{"format":"imds-guard fleet plan","version":2}', "its version is 2; known: 1"],
  ])("refuse a file that is %s", async (_, text, message) => {
    const { fleet, plan } = await planned();
    writeFileSync(plan, text);
    const { exitCode, stderr } = await fleet.run("apply", plan, "--yes");
    expect(stderr).toContain(message);
    expect(exitCode).toBe(3);
  });
});
