import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { inOrder, isStep, planText, readPlan, readUndo, stepFor, undoText } from "../../src/fleet/plan.js";
import type { Held, InstanceStep, Step } from "../../src/fleet/plan.js";
import { instanceRecord } from "../../src/fleet/instances.js";
import type { FleetRecord, InstanceRecord, TemplateRecord } from "../../src/fleet/records.js";
import { verdictOf } from "../../src/fleet/verdict.js";
import type { Counted } from "../../src/fleet/verdict.js";

const place = fc.record({
  accountId: fc.constantFrom("123456789012", "111122223333"),
  region: fc.constantFrom("eu-central-1", "us-east-1"),
});
const word = fc.option(fc.constantFrom("optional", "required", "preferred", "no-preference"), { nil: undefined });
const options = fc.record(
  {
    HttpTokens: fc.constantFrom("optional", "required", "preferred"),
    HttpEndpoint: fc.constantFrom("enabled", "disabled"),
    HttpPutResponseHopLimit: fc.integer({ min: 1, max: 64 }),
  },
  { requiredKeys: [] },
);
const tags = fc.constantFrom<readonly { readonly Key: string; readonly Value: string }[]>(
  [],
  [{ Key: "IMDS", Value: "v1" }],
  [{ Key: "IMDS", Value: "v2" }],
  [{ Key: "imds", Value: "v1" }],
);
const counts = fc.oneof(
  fc.constant("denied"),
  fc.constant(undefined),
  fc.record({
    calls: fc.oneof(fc.constant(0), fc.nat(9)),
    since: fc.option(fc.constant("2026-11-20T00:00:00.000Z"), { nil: undefined }),
    last: fc.constant("2026-11-27T00:00:00.000Z"),
    rejected: fc.nat(3),
    incomplete: fc.option(fc.constant("Forbidden"), { nil: undefined }),
  }),
);

/** An instance as EC2 and CloudWatch might tell of it, with its record. */
const instance = fc
  .record({ place, options, tags, counts, number: fc.nat(0xffff) })
  .map(({ place: where, options: metadata, tags: Tags, counts: counted, number }) => {
    const instanceId = `i-${number.toString(16).padStart(17, "0")}`;
    const answer = { InstanceId: instanceId, MetadataOptions: metadata, Tags };
    const byKey = new Map(Tags.map(({ Key, Value }) => [Key, Value]));
    const tag = { key: "IMDS", value: "v1" };
    const record = instanceRecord(where, { instanceId, answer, tags: byKey }, counted, tag, undefined);
    return { record, metadata, byKey, counted };
  });

const template = fc
  .record({
    place,
    number: fc.nat(0xffff),
    standing: fc.constantFrom("fine", "to-do", "excepted", "unknown"),
    heldBy: fc.option(fc.constant("i-1 from it is still used"), { nil: undefined }),
    a: word,
    b: word,
    latestFollowed: fc.boolean(),
  })
  .map(({ place: where, number, standing, heldBy, a, b, latestFollowed }): TemplateRecord => ({
    kind: "launch-template",
    ...where,
    launchTemplateId: `lt-${number.toString(16).padStart(17, "0")}`,
    standing: standing as TemplateRecord["standing"],
    reason: "so",
    heldBy,
    latestFollowed,
    defaultVersion: { version: 1, options: { HttpTokens: a } },
    latestVersion: { version: 2, options: { HttpTokens: b } },
  }));

function stepsOf(records: readonly FleetRecord[]): readonly Step[] {
  return inOrder(records.flatMap((record) => stepFor(record) ?? []).filter(isStep));
}

describe("the planner", () => {
  it("never enforces where a call was seen, a tag excepts or nothing is known", () => {
    fc.assert(
      fc.property(fc.array(instance), (fleet) => {
        const enforced = new Set(stepsOf(fleet.map(({ record }) => record)));
        for (const { record, metadata, byKey, counted } of fleet) {
          const step = stepFor(record);
          if (step === undefined || !isStep(step)) continue;
          expect(byKey.get("IMDS")).not.toBe("v1");
          expect(counted).toMatchObject({ calls: 0, since: expect.any(String) as string, incomplete: undefined });
          expect(metadata.HttpTokens ?? "optional").toBe("optional");
          expect(metadata.HttpEndpoint).not.toBe("disabled");
        }
        expect(enforced.size).toBe(fleet.filter(({ record }) => record.verdict === "safe").length);
      }),
    );
  });

  it("changes nothing but HttpTokens, and says from what", () => {
    fc.assert(
      fc.property(fc.array(instance), (fleet) => {
        for (const step of stepsOf(fleet.map(({ record }) => record))) {
          if (step.kind !== "instance") continue;
          expect({ ...step.to, HttpTokens: step.from.HttpTokens }).toEqual(step.from);
          expect(step.to.HttpTokens).toBe("required");
        }
      }),
    );
  });

  it("leaves templates that are held, and puts what is made from before what runs", () => {
    fc.assert(
      fc.property(fc.array(template), fc.array(instance), (templates, fleet) => {
        const steps = stepsOf([...fleet.map(({ record }): InstanceRecord => record), ...templates]);
        const firstInstance = steps.findIndex(({ kind }) => kind === "instance");
        expect(
          steps.slice(firstInstance === -1 ? steps.length : firstInstance).every(({ kind }) => kind === "instance"),
        ).toBe(true);
        const wanted = templates.filter(({ standing, heldBy }) => standing === "to-do" && heldBy === undefined);
        expect(steps.filter(({ kind }) => kind === "launch-template")).toHaveLength(wanted.length);
      }),
    );
  });

  it("writes what it reads, as a plan and as an undo file", () => {
    const head = {
      id: "0123-4567-89",
      made: "2026-11-28T00:00:00.000Z",
      days: 14,
      exceptionTag: { key: "IMDS", value: "v1=a" },
      role: "audit",
    };
    fc.assert(
      fc.property(fc.array(template), fc.array(instance), (templates, fleet) => {
        const steps = JSON.parse(
          JSON.stringify(stepsOf([...fleet.map(({ record }): InstanceRecord => record), ...templates])),
        ) as Step[];
        const held = templates
          .flatMap((record) => stepFor(record) ?? [])
          .filter((found): found is Held => !isStep(found));
        const text = planText(head, steps, held);
        expect(JSON.parse(JSON.stringify(readPlan(text)))).toEqual({ ...head, steps });
        expect((JSON.parse(text) as { held: unknown }).held).toEqual(JSON.parse(JSON.stringify(held)));
        expect(JSON.parse(JSON.stringify(readUndo(undoText(head, steps))))).toEqual({ ...head, steps });
      }),
    );
  });

  it("refuses any file that is none of its own, by name", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(() => readPlan(text)).toThrowError(expect.objectContaining({ code: "ERR_FLEET_PLAN" }) as Error);
      }),
    );
  });

  it.each<[string, Partial<InstanceStep>]>([
    ["turns off the endpoint", { to: { HttpTokens: "required", HttpEndpoint: "disabled" } }],
    ["leaves an option out", { to: { HttpTokens: "required" } }],
    ["says nothing of what it makes", { to: {} }],
    ["names no account", { accountId: "12345678901" }],
    ["names no region", { region: "eu_central" }],
  ])("carries out no step that %s", (_, rest) => {
    const head = {
      id: "0123-4567-89",
      made: "2026-11-28T00:00:00.000Z",
      days: 14,
      exceptionTag: { key: "IMDS", value: "v1" },
    };
    const from = { HttpTokens: "optional", HttpEndpoint: "enabled" };
    const step: InstanceStep = {
      kind: "instance",
      accountId: "123456789012",
      region: "eu-central-1",
      id: "i-0123456789abcdef0",
      does: "",
      why: "",
      from,
      to: { ...from, HttpTokens: "required" },
    };
    expect(readPlan(planText(head, [step], [])).steps).toHaveLength(1);
    expect(() => readPlan(planText(head, [{ ...step, ...rest }], []))).toThrowError("step 1 is malformed");
  });
});

describe("a verdict", () => {
  const counted = (calls: number): Counted => ({ kind: "counted", calls, since: "2026-11-20T00:00:00.000Z" });
  it.each([
    ["required", undefined, counted(3), "fine"],
    ["required", "IMDS=v1", counted(3), "fine"],
    ["optional", "IMDS=v1", counted(3), "excepted"],
    ["optional", undefined, { kind: "not-read", reason: "denied" }, "unknown"],
    ["optional", undefined, { kind: "no-data" }, "unknown"],
    ["optional", undefined, counted(3), "used"],
    ["optional", undefined, counted(0), "safe"],
    [undefined, undefined, counted(0), "safe"],
    ["preferred", undefined, counted(0), "unknown"],
  ] as const)("of HttpTokens %s, tag %s, %o is %s", (HttpTokens, exceptedBy, seen, verdict) => {
    expect(verdictOf({ options: { HttpTokens }, exceptedBy, counted: seen }).verdict).toBe(verdict);
  });

  it("is used where evidence shows what CloudWatch did not count", () => {
    const shown = { calls: 2, last: "2026-11-27T00:00:00.000Z" };
    expect(verdictOf({ options: {}, counted: counted(0), shown })).toMatchObject({ verdict: "used", ...shown });
  });
});
