/**
 * How the package comes to be published: workflows that run what they say and nobody else's latest, and a whole bill of
 * materials.
 */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { ROOT } from "./built.js";

const run = promisify(execFile);
const WORKFLOWS = join(ROOT, ".github/workflows");

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}

interface Job {
  readonly permissions?: Readonly<Record<string, string>>;
  readonly needs?: string;
  readonly steps: readonly Step[];
}

interface Workflow {
  readonly permissions?: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, Job>>;
}

const workflows = readdirSync(WORKFLOWS).map((name) => {
  const text = readFileSync(join(WORKFLOWS, name), "utf8");
  return { name, text, workflow: parse(text) as Workflow };
});
const named = (name: string): Workflow => workflows.find((file) => file.name === name)!.workflow;
const commandsOf = (job: Job | undefined): readonly string[] =>
  (job?.steps ?? []).flatMap(
    (step) =>
      step.run
        ?.trim()
        .split("\n")
        .map((line) => line.trim()) ?? [],
  );

describe.each(workflows)("$name", ({ text, workflow }) => {
  const steps = Object.values(workflow.jobs).flatMap((job) => job.steps);

  test("takes every action at a commit, and says which version that is", () => {
    const uses = [...text.matchAll(/\buses:.*/g)].map(([line]) => line);
    expect(uses.length).toBe(steps.filter((step) => step.uses !== undefined).length);
    expect(uses.filter((line) => !/^uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line))).toEqual([]);
  });

  test("has no rights but those that it names", () => {
    const granted = [workflow.permissions, ...Object.values(workflow.jobs).map((job) => job.permissions)];
    expect(workflow.permissions).toBeDefined();
    expect(
      granted
        .flatMap((rights) => Object.entries(rights ?? {}))
        .filter(([right, level]) => !(right === "contents" || (right === "id-token" && level === "write"))),
    ).toEqual([]);
    const checkouts = steps.filter((step) => step.uses?.startsWith("actions/checkout@"));
    expect(checkouts.every((step) => step.with?.["persist-credentials"] === false)).toBe(true);
  });

  test("lets nobody write a command by naming a branch", () => {
    expect(steps.filter((step) => step.run?.includes("${{"))).toEqual([]);
  });
});

describe("a release", () => {
  test("runs what every change runs, then publishes with provenance and without a token", () => {
    const { jobs, permissions } = named("release.yml");
    expect(permissions).toEqual({});
    expect(commandsOf(named("ci.yml").jobs["check"])).toContain("bash .ci/run");
    expect(commandsOf(jobs["check"])).toContain("bash .ci/run");
    const { publish } = jobs;
    expect(publish?.needs).toBe("check");
    expect(publish?.permissions).toEqual({ contents: "read", "id-token": "write" });
    const commands = commandsOf(publish);
    const order = ["npm ci --ignore-scripts", "npm audit signatures", "npm publish --provenance --access public"].map(
      (command) => commands.indexOf(command),
    );
    expect(order.every((at, index) => at >= 0 && at > (order[index - 1] ?? -1))).toBe(true);
    expect(Object.values(jobs).filter((job) => job.permissions?.["id-token"] !== undefined)).toEqual([publish]);
    expect(workflows.filter(({ text }) => text.includes("secrets."))).toEqual([]);
  });
});

test("the bill of materials names all that a user installs, by what it is and who may use it", async () => {
  interface Component {
    readonly name: string;
    readonly version: string;
    readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
    readonly licenses?: readonly unknown[];
  }
  const { stdout } = await run(process.execPath, ["scripts/sbom.mjs"], { cwd: ROOT });
  const bill = JSON.parse(stdout) as {
    bomFormat: string;
    metadata: { component: Component & { type: string } };
    components: readonly Component[];
  };
  expect(bill.bomFormat).toBe("CycloneDX");
  expect(bill.metadata.component).toMatchObject({ type: "library", name: "imds-guard" });
  const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    dependencies: Record<string, string>;
    devDependencies: Record<string, string>;
  };
  const names = bill.components.map(({ name }) => name);
  expect(Object.keys(manifest.dependencies).filter((name) => !names.includes(name))).toEqual([]);
  expect(names).toContain("@aws-sdk/core"); // needed by what is for development, too
  expect(names.filter((name) => ["typescript", "vitest", "rolldown", "@aws-sdk/client-s3"].includes(name))).toEqual([]);
  expect(
    bill.components
      .filter(({ hashes, licenses }) => hashes?.[0]?.alg !== "SHA-512" || !licenses?.length)
      .map(({ name }) => name),
  ).toEqual([]);
});
