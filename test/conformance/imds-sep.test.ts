/** The specification of IMDS credentials that all AWS SDKs share, spoken on the path that every instance has. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, test, vi } from "vitest";
import { ImdsGuardError } from "../../src/base/errors.js";
import type { Guard } from "../../src/guard/guard.js";
import { createGuard } from "../../src/guard/create-guard.js";
import type { GuardOptions } from "../../src/settings/options.js";
import { makeHome } from "../settings/home.js";
import { readCases } from "./peer-cases.js";

vi.setConfig({ testTimeout: 60_000 });

interface Expectation {
  readonly get: string;
  readonly response: { readonly status: number; readonly body?: unknown };
}

interface Case {
  readonly summary: string;
  readonly config: {
    readonly ec2InstanceProfileName: string | null;
    readonly envVars?: Readonly<Record<string, string>>;
  };
  readonly expectations: readonly Expectation[];
  readonly outcomes: readonly { readonly result: string; readonly accountId?: string }[];
}

const cases = readCases("imds-sep", "imds-sep-tests.json") as readonly Case[];
const EXTENDED = "security-credentials-extended";
const LEGACY = "security-credentials";

/**
 * The exchange on the legacy path. The extended path is open to few instances and is not asked (404 elsewhere): where a
 * case falls back from it the fallback remains, and where it is answered the same is said on the legacy path.
 */
function onLegacyPath(expectations: readonly Expectation[]): Expectation[] {
  const fallback = expectations.some(({ get }) => !get.includes(EXTENDED));
  if (fallback) return expectations.filter(({ get }) => !get.includes(EXTENDED));
  return expectations.map(({ get, response }) => ({ get: get.replace(EXTENDED, LEGACY), response }));
}

/** Runs `work` with a service that answers as expected and notes what was asked otherwise. */
async function withService<T>(
  expectations: readonly Expectation[],
  work: (endpoint: string) => Promise<T>,
): Promise<{ result: T; asked: string[] }> {
  const rest = [...expectations];
  const asked: string[] = [];
  const server = createServer((request, response) => {
    if (request.method === "PUT") {
      response.setHeader("x-aws-ec2-metadata-token-ttl-seconds", "21600");
      return void response.end("AQAEAExampleTokenExampleTokenExampleTokenExampleToken0==");
    }
    asked.push(request.url ?? "");
    const next = rest[0]?.get === request.url ? rest.shift() : undefined;
    const { status, body } = next?.response ?? { status: 404 };
    response.statusCode = status;
    response.end(typeof body === "string" ? body : body === undefined ? "" : JSON.stringify(body, undefined, 2));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    return { result: await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`), asked };
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

/** A minute after the first credentials were made: all of them still live. */
function clockOf({ expectations }: Case): number {
  const made = JSON.stringify(expectations).match(/"LastUpdated":"([^"]+)"/)?.[1];
  return made === undefined ? Date.now() : Date.parse(made) + 60_000;
}

function guardFor(given: Case, endpoint: string, options: GuardOptions = {}): Guard {
  const { ec2InstanceProfileName, envVars } = given.config;
  const name = ec2InstanceProfileName === null ? {} : { ec2InstanceProfileName };
  return createGuard(
    { endpoint, log: "off", ...name, ...options },
    { system: { ...makeHome().system(envVars), now: () => clockOf(given) } },
  );
}

async function callsOf(guard: Guard, calls: number): Promise<{ result: string; accountId?: string }[]> {
  const results: { result: string; accountId?: string }[] = [];
  for (let call = 0; call < calls; call++) {
    results.push(
      await guard.credentials({ forceRefresh: call > 0 }).then(
        ({ accountId }) => ({ result: "credentials", ...(accountId !== undefined && { accountId }) }),
        (error: unknown) => ({ result: wordFor(error) }),
      ),
    );
  }
  return results;
}

const WORDS: Partial<Record<string, string>> = {
  ERR_IMDS_NOT_FOUND: "invalid profile",
  ERR_IMDS_DISABLED: "no credentials",
  ERR_IMDS_NO_ROLE: "no credentials",
};

function wordFor(error: unknown): string {
  if (!(error instanceof ImdsGuardError)) throw error;
  return WORDS[error.code] ?? error.code;
}

describe.skipIf(cases.length === 0)("the shared specification", () => {
  test.each(cases.map((given) => [given.summary, given] as const))("%s", async (_, given) => {
    const expectations = onLegacyPath(given.expectations);
    const { result, asked } = await withService(expectations, (endpoint) =>
      callsOf(guardFor(given, endpoint), given.outcomes.length),
    );
    expect(result).toEqual(given.outcomes);
    expect(asked).toEqual(expectations.map(({ get }) => get));
  });

  test.each(cases.map((given) => [given.summary, given] as const))(
    "with proof required nothing is handed out: %s",
    async (_, given) => {
      const expectations = onLegacyPath(given.expectations);
      const { result } = await withService(expectations, (endpoint) =>
        callsOf(guardFor(given, endpoint, { attestation: "required" }), 1),
      );
      expect(result[0]?.result).not.toBe("credentials");
    },
  );

  test("is counted", () => {
    const moved = cases.filter(
      ({ expectations }) => expectations.length > 0 && expectations.every(({ get }) => get.includes(EXTENDED)),
    ).length;
    console.log(
      `conformance/imds-sep: ${cases.length} cases on the legacy path, ${moved} of them moved there from the extended one; 0 skipped`,
    );
    expect(moved).toBeLessThanOrEqual(cases.length);
  });
});
