/** The whole chain in the cases of a peer SDK: environment, profiles, roles, processes, SSO, containers and IMDS. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { canUnshare, createMachine } from "../support/machine.mjs";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const PLACE = fileURLToPath(new URL("../../../shared/peer-cases/smithy-rs/", import.meta.url));
const PROGRAM = fileURLToPath(new URL("./chain-program.mjs", import.meta.url));
const STOCK = "@aws-sdk/credential-providers";

interface Exchange {
  readonly request: { readonly method: string; readonly uri: string };
  readonly response: { readonly status: number; readonly body: string };
}

interface Given {
  readonly name: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly fs?: Readonly<Record<string, string>>;
  readonly exchanges?: readonly Exchange[];
  readonly guard?: Readonly<Record<string, unknown>>;
  /** Epoch seconds at which the recording was made. */
  readonly clock?: number;
  /** The profile to start from; without it the whole chain is asked. */
  readonly selected?: string;
  /** What has to come of it; undefined: an error. */
  readonly ok: unknown;
}

interface Outcome {
  readonly ok?: unknown;
  readonly error?: string;
  readonly code?: string;
  readonly message?: string;
  readonly strange: readonly string[];
}

interface DirectoryCase extends Pick<Given, "env" | "fs" | "exchanges"> {
  readonly suite: string;
  readonly case: string;
  readonly expect: { readonly Ok?: { readonly expiry?: number } };
  readonly uses_imds: boolean;
}

interface RoleCase {
  readonly docs: string;
  readonly input: {
    readonly profiles: Readonly<Record<string, Readonly<Record<string, string>>>>;
    readonly selected_profile: string;
    readonly sso_sessions?: unknown;
  };
  readonly output: { readonly ProfileChain?: unknown };
}

const BEARER = "resolves a bearer token, and no credentials";
/** Name -> why the case says nothing about this chain. */
const SKIPPED: Readonly<Record<string, string>> = {
  "default-token-provider-chain: profile_keys": BEARER,
  "default-token-provider-chain: profile_name": BEARER,
  "assume-role: SSO token profile selected": BEARER,
};

/** Name -> what the AWS SDK for JavaScript, whose links these are, does otherwise. */
const OTHERWISE: Readonly<Record<string, string>> = {
  "default-credential-provider-chain: profile_overrides_web_identity":
    "takes the web identity of the environment where the profile gives nothing",
  "default-credential-provider-chain: profile_static_keys_case_insensitive":
    "takes the keys of a profile in lower case only",
};

function directoryCases(suite: string): Given[] {
  const folder = `${PLACE}${suite}`;
  if (!existsSync(folder)) return [];
  return (
    readdirSync(folder)
      // The one key id of the recordings that is shorter than any that IMDS gives.
      .map(
        (file) =>
          JSON.parse(
            readFileSync(`${folder}/${file}`, "utf8").replaceAll(/\bASIARTEST\b/g, "ASIARTESTTESTTESTTES"),
          ) as DirectoryCase,
      )
      .map(({ case: name, env, fs, exchanges, expect: { Ok: ok } }) => ({
        name: `${suite}: ${name}`,
        ...(env && { env }),
        ...(fs && { fs }),
        ...(exchanges && { exchanges }),
        ...(ok?.expiry !== undefined && { clock: ok.expiry - 1_800 }),
        ok,
      }))
  );
}

/** What IMDS says where a profile starts there. */
function fromImds(): Exchange[] {
  const base = "http://169.254.169.254/latest/";
  const document = {
    Code: "Success",
    Type: "AWS-HMAC",
    AccessKeyId: "ASIAIOSFODNN7EXAMPLE",
    SecretAccessKey: "secret",
    Token: "token",
    Expiration: new Date(Date.now() + 3_600_000).toISOString(),
    LastUpdated: new Date().toISOString(),
  };
  return [
    {
      request: { method: "PUT", uri: `${base}api/token` },
      response: { status: 200, body: "AQAEAExampleTokenExampleTokenExampleTokenExampleToken0==" },
    },
    {
      request: { method: "GET", uri: `${base}meta-data/iam/security-credentials/` },
      response: { status: 200, body: "app" },
    },
    {
      request: { method: "GET", uri: `${base}meta-data/iam/security-credentials/app` },
      response: { status: 200, body: JSON.stringify(document) },
    },
  ];
}

function roleCases(): Given[] {
  const path = `${PLACE}assume-role-tests.json`;
  if (!existsSync(path)) return [];
  return (JSON.parse(readFileSync(path, "utf8")) as { tests: RoleCase[] }).tests.map(({ docs, input, output }) => ({
    name: `assume-role: ${docs}`,
    fs: {
      "/home/.aws/config": Object.entries(input.profiles)
        .map(
          ([name, keys]) =>
            `[profile ${name}]\n${Object.entries(keys)
              .map(([key, value]) => `${key} = ${value}\n`)
              .join("")}`,
        )
        .join("\n"),
    },
    exchanges: fromImds(),
    selected: input.selected_profile,
    ok: output.ProfileChain,
  }));
}

/**
 * The SDK for JavaScript states the account of fewer sources; that it is the same as the SDK's is asked for besides.
 */
function withoutAccount(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutAccount);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== "account_id")
      .map(([key, inner]) => [key, withoutAccount(inner)]),
  );
}

const all = [
  ...directoryCases("default-credential-provider-chain"),
  ...directoryCases("profile-provider"),
  ...directoryCases("default-token-provider-chain"),
  ...roleCases(),
];
const cases = all.filter(({ name }) => SKIPPED[name] === undefined);
const imds = cases.filter(
  ({ exchanges = [], selected, ok }) =>
    selected === undefined &&
    ok !== undefined &&
    exchanges.some(({ request }) => request.uri.includes("169.254.169.254")),
);
const able = canUnshare();
if (all.length === 0) console.log("conformance/credential-chain: skipped, ../shared/peer-cases/smithy-rs is not there");
else if (!able.ok) console.log(`conformance/credential-chain: skipped, no machines can be made here: ${able.reason}`);

describe.skipIf(all.length === 0 || !able.ok)("the chain of a peer", () => {
  const outcomes: Record<"ours" | "stock" | "proved", Outcome[]> = { ours: [], stock: [], proved: [] };

  beforeAll(async () => {
    const machine = await createMachine({ host: "ec2-nitro" });
    try {
      await machine.command("ip", ["address", "add", "169.254.170.2/32", "dev", "lo"]);
      const run = async (module: string, given: readonly Given[]): Promise<Outcome[]> => {
        const result = await machine.run(PROGRAM, {
          args: [JSON.stringify({ module, cases: given })],
          timeoutMs: 100_000,
        });
        if (result.json === undefined)
          throw new Error(
            `the program ended with ${result.exitCode ?? result.signal}: ${result.stderr.slice(0, 2_000)}`,
          );
        return result.json as Outcome[];
      };
      // No recording holds a signed document.
      const unproved = { attestation: "off" };
      outcomes.ours = await run(
        "imds-guard",
        cases.map((given) => ({ ...given, guard: unproved })),
      );
      outcomes.stock = await run(STOCK, cases);
      outcomes.proved = await run("imds-guard", imds);
    } finally {
      await machine.close();
    }
  });

  // An error has to come without AWS having been asked for anything that the peer does not ask for.
  const asExpected = (outcome: Outcome | undefined, ok: unknown): boolean =>
    ok === undefined
      ? outcome?.error !== undefined && !outcome.strange.some((asked) => asked.startsWith("POST "))
      : JSON.stringify(withoutAccount(outcome?.ok)) === JSON.stringify(withoutAccount(ok));

  test.each(cases.map(({ name, ok }, index) => [name, ok, index] as const))("%s", (name, ok, index) => {
    const [ours, stock] = [outcomes.ours[index], outcomes.stock[index]];
    const otherwise = !asExpected(stock, ok);
    if (otherwise)
      console.log(
        `conformance/credential-chain: the SDK for JavaScript ${OTHERWISE[name] ?? `does otherwise, and it is not known why (${JSON.stringify(stock)})`}: ${name}`,
      );
    else expect(OTHERWISE[name], "the SDK does as its peer does: take it off the list").toBeUndefined();
    // Where the SDK's own links differ from the peer's, doing as they do is right.
    expect({ ours, as: otherwise || asExpected(ours, ok) ? ok : "something else" }).toEqual({ ours, as: ok });
    expect(ours?.ok).toEqual(stock?.ok);
    if (ok !== undefined && !otherwise) expect(ours?.strange).toEqual([]);
  });

  test.each(imds.map(({ name }, index) => [name, index] as const))(
    "without a signed document nothing is handed out: %s",
    (_, index) => {
      expect(outcomes.proved[index]).toMatchObject({ code: "ERR_IMDS_ATTESTATION_MISSING" });
    },
  );

  test("is counted", () => {
    const otherwise = cases.filter(({ ok }, index) => !asExpected(outcomes.stock[index], ok)).length;
    console.log(
      `conformance/credential-chain: ${cases.length - otherwise} cases as the peer, ${otherwise} as the SDK for JavaScript does otherwise, ${all.length - cases.length} skipped; ${imds.length} refused without a signed document`,
    );
    for (const [name, why] of Object.entries(SKIPPED))
      console.log(`conformance/credential-chain: skipped, ${why}: ${name}`);
    expect(cases.length).toBeGreaterThan(0);
  });
});
