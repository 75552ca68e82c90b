/**
 * The specification of IMDS credentials that all AWS SDKs share, with the gateway between client and service: the guard
 * as a client, and a stock client.
 */
import { rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromInstanceMetadata } from "@smithy/credential-provider-imds";
import { describe, expect, test, vi } from "vitest";
import { ImdsGuardError } from "../../src/base/errors.js";
import { realSystem } from "../../src/base/system.js";
import { readAccounts } from "../../src/gateway/accounts.js";
import { startGateway } from "../../src/gateway/gateway.js";
import { createGuard } from "../../src/guard/create-guard.js";
import { makeHome } from "../settings/home.js";
import { readCases } from "./peer-cases.js";

vi.setConfig({ testTimeout: 60_000 });

interface Case {
  readonly summary: string;
  readonly config: {
    readonly ec2InstanceProfileName: string | null;
    readonly envVars?: Readonly<Record<string, string>>;
  };
  readonly expectations: readonly {
    readonly get: string;
    readonly response: { readonly status: number; readonly body?: unknown };
  }[];
  readonly outcomes: readonly { readonly result: string }[];
}

const cases = (readCases("gateway", "imds-sep-tests.json") as readonly Case[]).filter(
  ({ config }) => config.envVars === undefined,
);
const ROLES = "/latest/meta-data/iam/security-credentials/";
const WORDS: Partial<Record<string, string>> = {
  ERR_IMDS_NOT_FOUND: "invalid profile",
  ERR_IMDS_NO_ROLE: "no credentials",
};

/**
 * The instance of a case, as the service has it at the first call: which role is attached, and its credentials. What a
 * case says of the extended path is said on the path that every instance has.
 */
function instanceOf({ expectations }: Case): { readonly role: string; readonly document: string } | undefined {
  for (const { get, response } of expectations) {
    const role = get.split("/").at(-1) ?? "";
    if (role !== "" && response.status === 200) return { role, document: JSON.stringify(response.body, undefined, 2) };
  }
  return undefined;
}

async function withGateway<T>(
  given: Case,
  work: (endpoint: string) => Promise<T>,
): Promise<{ result: T; asked: string[] }> {
  const instance = instanceOf(given);
  const asked: string[] = [];
  const service = createServer((request, response) => {
    if (request.method === "PUT") {
      response.setHeader("x-aws-ec2-metadata-token-ttl-seconds", "21600");
      return void response.end("AQAEAExampleTokenExampleTokenExampleTokenExampleToken0==");
    }
    asked.push(request.url ?? "");
    const body =
      request.url === ROLES
        ? instance?.role
        : request.url === `${ROLES}${instance?.role}`
          ? instance?.document
          : undefined;
    response.statusCode = body === undefined ? 404 : 200;
    response.end(body);
  });
  await new Promise<void>((resolve) => service.listen(0, "127.0.0.1", resolve));
  const system = { ...makeHome().system(), now: () => clockOf(given) };
  const guard = createGuard(
    { endpoint: `http://127.0.0.1:${(service.address() as AddressInfo).port}`, log: "off" },
    { system },
  );
  const rules = join(tmpdir(), `imds-guard-rules-${process.pid}.toml`);
  writeFileSync(rules, `[[rule]]\nuser = ${process.getuid?.() ?? 0}\nrole = true\n`);
  const gateway = await startGateway({
    guard,
    system: { ...system, monotonic: realSystem.monotonic },
    accounts: readAccounts(),
    port: 0,
    bridges: [],
    rulesFile: rules,
    rulesOptional: false,
    v1: "refuse",
    note: () => undefined,
  });
  try {
    return { result: await work(`http://127.0.0.1:${gateway.port}`), asked };
  } finally {
    await gateway.close();
    await guard.close();
    rmSync(rules);
    await new Promise((resolve) => service.close(resolve));
  }
}

/** A minute after the first credentials were made: all of them still live. */
function clockOf({ expectations }: Case): number {
  const made = JSON.stringify(expectations).match(/"LastUpdated":"([^"]+)"/)?.[1];
  return made === undefined ? Date.now() : Date.parse(made) + 60_000;
}

describe.skipIf(cases.length === 0 || process.platform !== "linux")(
  "the shared specification through the gateway",
  () => {
    test.each(cases.map((given) => [given.summary, given] as const))("%s", async (_, given) => {
      const name = given.config.ec2InstanceProfileName;
      const { result, asked } = await withGateway(given, async (endpoint) => {
        const client = createGuard(
          { endpoint, log: "off", ...(name !== null && { ec2InstanceProfileName: name }) },
          { system: { ...makeHome().system(), now: () => clockOf(given) } },
        );
        const results: string[] = [];
        for (let call = 0; call < given.outcomes.length; call++) {
          results.push(
            await client.credentials({ forceRefresh: call > 0 }).then(
              () => "credentials",
              (error: unknown) => {
                if (!(error instanceof ImdsGuardError)) throw error;
                return WORDS[error.code] ?? error.code;
              },
            ),
          );
        }
        await client.close();
        return results;
      });
      expect(result).toEqual(given.outcomes.map(({ result: word }) => word));
      // Whatever the client asks, the service is asked for the role and its credentials once.
      expect(asked.filter((path) => path.startsWith(ROLES)).length).toBeLessThanOrEqual(2);
    });

    const served = cases.filter(
      ({ config, outcomes }) => config.ec2InstanceProfileName === null && outcomes[0]?.result === "credentials",
    );
    test.each(served.map((given) => [given.summary, given] as const))("a stock client: %s", async (_, given) => {
      const before = process.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"];
      try {
        const { result } = await withGateway(given, (endpoint) => {
          process.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = endpoint;
          return fromInstanceMetadata({ maxRetries: 0 })();
        });
        expect(instanceOf(given)?.document).toContain(result.accessKeyId);
      } finally {
        if (before === undefined) delete process.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"];
        else process.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = before;
      }
    });
  },
);
