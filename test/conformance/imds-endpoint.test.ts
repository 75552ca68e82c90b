/**
 * Where AWS's endpoint settings lead, in the cases of the SDK for Rust, and which of those places the guard refuses.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { isImdsAddress, isLoopback } from "../../src/base/addresses.js";
import { decide } from "../../src/guard/decide.js";
import { ImdsGuardSettingsError } from "../../src/base/errors.js";
import type { GuardOptions } from "../../src/settings/options.js";
import { snapshotOptions } from "../../src/settings/check-options.js";
import { resolveSettings } from "../../src/settings/resolve.js";
import { makeHome } from "../settings/home.js";
import { readCases } from "./peer-cases.js";

interface Case {
  readonly docs: string;
  readonly env: Readonly<Record<string, string>>;
  readonly fs: Readonly<Record<string, string>>;
  readonly mode_override?: string;
  readonly endpoint_override?: string;
  readonly result: { readonly Ok?: string; readonly Err?: string };
}

const TOKEN_PATH = "/latest/api/token";
const cases = readCases("imds-endpoint", "smithy-rs/imds-endpoint-tests.json") as readonly Case[];

/** What became of a case: the URL that is or would be asked, or the reason why none is. */
type Outcome = { readonly asked: string } | { readonly refused: string } | { readonly wrong: string };

async function outcomeOf(given: Case): Promise<Outcome> {
  const home = makeHome();
  const env: Record<string, string> = { ...given.env };
  for (const [path, text] of Object.entries(given.fs)) {
    const copy = join(home.directory, path.replaceAll("/", "_"));
    writeFileSync(copy, text);
    for (const name of ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"]) if (env[name] === path) env[name] = copy;
  }
  // There is no option for the mode of addresses: the environment is as near to the code as it gets.
  if (given.mode_override !== undefined) env["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"] = given.mode_override;
  const own: GuardOptions =
    given.endpoint_override === undefined
      ? {}
      : { endpoint: given.endpoint_override, mode: "allow", expectedAccounts: ["111122223333"] };
  try {
    snapshotOptions(own);
  } catch (error) {
    return { wrong: (error as Error).message };
  }
  const { settings, problem } = await resolveSettings(own, home.system(env));
  if (problem instanceof ImdsGuardSettingsError) return { wrong: problem.message };
  const decision = decide(settings, { verdict: "ec2", reason: "it is", evidence: [] });
  const { host, port } = decision.target;
  const url = new URL(TOKEN_PATH, `http://${host.includes(":") ? `[${host}]` : host}:${port}`).href;
  return decision.kind === "contact" ? { asked: url } : { refused: url };
}

/** What the guard's rules make of the URL that the SDK for Rust asks. */
function ruled({ result, endpoint_override }: Case): Partial<Record<"asked" | "refused" | "wrong", unknown>> {
  if (result.Ok === undefined) return { wrong: expect.any(String) };
  const url = new URL(result.Ok);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (url.protocol !== "http:" || url.pathname !== TOKEN_PATH) return { wrong: expect.any(String) };
  const own = endpoint_override !== undefined;
  return own || (isImdsAddress(host) && url.port === "") || isLoopback(host) || host === "localhost"
    ? { asked: url.href }
    : { refused: url.href };
}

describe.skipIf(cases.length === 0)("cases of the SDK for Rust", () => {
  test.each(cases.map((given) => [given.docs, given] as const))("%s", async (_, given) => {
    expect(await outcomeOf(given)).toEqual(ruled(given));
  });

  test("are counted", async () => {
    const outcomes = await Promise.all(cases.map(async (given) => ({ docs: given.docs, ...(await outcomeOf(given)) })));
    const asked = outcomes.filter((outcome) => "asked" in outcome).length;
    const others = outcomes.flatMap((outcome) =>
      "refused" in outcome
        ? [`${outcome.docs}: refused, ${outcome.refused} is neither IMDS nor this machine`]
        : "wrong" in outcome
          ? [`${outcome.docs}: ${outcome.wrong}`]
          : [],
    );
    console.log(
      [
        `conformance/imds-endpoint: ${cases.length} cases, ${asked} asked as the peer does`,
        ...others.map((line) => `  ${line}`),
      ].join("\n"),
    );
    expect(asked + others.length).toBe(cases.length);
  });
});
