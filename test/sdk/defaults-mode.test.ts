/** The defaults mode of SDK clients: stated, configured, or found out with an attested region. */
import { describe, expect, it } from "vitest";
import { createGuard } from "../../src/guard/create-guard.js";
import { nestedClientConfig, resolvedDefaultsMode } from "../../src/sdk/defaults-mode.js";
import { withAttestedService } from "./attested-service.js";

type Env = Readonly<Record<string, string>>;
type Stated = Parameters<typeof resolvedDefaultsMode>[1];

async function modeOf(
  stated: Stated,
  env: Env = {},
  more: { config?: string; identity?: object } = {},
): Promise<string> {
  return withAttestedService({ env, config: more.config }, more.identity ?? {}, async ({ options }) => {
    const guard = createGuard(options);
    try {
      return await resolvedDefaultsMode(guard, stated)();
    } finally {
      await guard.close();
    }
  });
}

const AUTO: Env = { AWS_DEFAULTS_MODE: "auto" };

it.each<[string, Stated, Env, string, string]>([
  ["nobody says one", undefined, {}, "", "legacy"],
  ["it is stated", "standard", AUTO, "", "standard"],
  ["it is stated in other letters", "In-Region", {}, "", "in-region"],
  ["a function states it", () => Promise.resolve("mobile"), AUTO, "", "mobile"],
  [
    "the environment has it",
    undefined,
    { AWS_DEFAULTS_MODE: "cross-region" },
    "defaults_mode = mobile",
    "cross-region",
  ],
  ["the profile has it", undefined, {}, "defaults_mode = mobile", "mobile"],
  ["it is empty", "", AUTO, "", "legacy"],
  ["it is auto, and the region is this host's", "AUTO", {}, "", "in-region"],
  ["it is auto, and the region is another", "auto", { AWS_REGION: "eu-west-1" }, "", "cross-region"],
  ["a function is told so", "auto", { AWS_EXECUTION_ENV: "AWS_Lambda", AWS_REGION: "eu-west-1" }, "", "in-region"],
  [
    "a task is told so",
    "auto",
    { AWS_EXECUTION_ENV: "AWS_ECS_FARGATE", AWS_DEFAULT_REGION: "eu-west-1" },
    "",
    "in-region",
  ],
  ["a function is told nothing", "auto", { AWS_EXECUTION_ENV: "x", AWS_REGION: "" }, "", "in-region"],
  ["IMDS may not be asked", "auto", { AWS_EC2_METADATA_DISABLED: "true", AWS_REGION: "eu-central-1" }, "", "standard"],
])("where %s", async (_, stated, env, profile, mode) => {
  expect(await modeOf(stated, env, { config: `[default]\n${profile}\n` })).toBe(mode);
});

it("is standard where an impersonator answers", async () => {
  const env = { AWS_REGION: "eu-central-1" };
  expect(await modeOf("auto", env, { identity: { signDocument: undefined } })).toBe("standard");
});

it("is standard where nothing is attested", async () => {
  await withAttestedService({ env: { AWS_REGION: "eu-central-1" } }, {}, async ({ options }) => {
    const guard = createGuard({ ...options, attestation: "off" });
    expect(await resolvedDefaultsMode(guard, "auto")()).toBe("standard");
    await guard.close();
  });
});

it("an error of somebody else's is none of the host's", async () => {
  const failing = { ...createGuard({ log: "off", probe: "off" }), whereAmI: () => Promise.reject(new Error("broken")) };
  await expect(resolvedDefaultsMode(failing, "auto")()).rejects.toThrow("broken");
});

it("a word that is none is refused", async () => {
  await expect(modeOf("fast")).rejects.toThrow(
    new TypeError('Invalid defaultsMode "fast"; allowed: auto, standard, in-region, cross-region, mobile, legacy'),
  );
});

describe("the configuration of a client that the SDK makes for itself", () => {
  it("is what was given, with a mode that asks nobody", async () => {
    const guard = createGuard({ log: "off", probe: "off" });
    const given = { region: "x", defaultsMode: "Mobile" };
    const made = nestedClientConfig(guard, given) as unknown as { region: string; defaultsMode: () => Promise<string> };
    expect([made.region, await made.defaultsMode(), given.defaultsMode]).toEqual(["x", "mobile", "Mobile"]);
    expect(Object.keys(nestedClientConfig(guard, undefined) as object)).toEqual(["defaultsMode"]);
  });
});

it("is legacy, and no rejection, for a client that asks as it is made where the guard is closed since", async () => {
  const { S3Client } = await import("@aws-sdk/client-s3");
  const unowned: unknown[] = [];
  const note = (reason: unknown): void => void unowned.push(reason);
  process.on("unhandledRejection", note);
  try {
    const guard = createGuard({ mode: "deny", log: "off" });
    const defaultsMode = resolvedDefaultsMode(guard);
    const client = new S3Client({ region: "eu-west-1", defaultsMode });
    await guard.close();
    expect(await defaultsMode()).toBe("legacy");
    await new Promise(setImmediate);
    client.destroy();
  } finally {
    process.off("unhandledRejection", note);
  }
  expect(unowned).toEqual([]);
});
