import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { describe, expect, it } from "vitest";
import { createGuard } from "../../src/sdk/application-guard.js";
import type { ResolvedDefaultsMode } from "../../src/sdk/client-config.js";
import { withAttestedService } from "./attested-service.js";

/** The requests of one credential acquisition, which are the guard's own. */
const OWN = [
  "PUT /latest/api/token",
  "GET /latest/meta-data/iam/security-credentials/",
  "GET /latest/meta-data/iam/security-credentials/app-server",
  "GET /latest/dynamic/instance-identity/rsa2048",
  "GET /latest/meta-data/iam/info",
];

interface Sent {
  readonly hostname: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Answers every request with an error of the service, after noting it. */
function recordingHandler(sent: Sent[]) {
  const body = "<ErrorResponse><Error><Code>Recorded</Code><Message>recorded</Message></Error></ErrorResponse>";
  return {
    handle(request: Sent) {
      sent.push(request);
      return Promise.resolve({ response: { statusCode: 400, headers: {}, body: new TextEncoder().encode(body) } });
    },
  };
}

describe("guard.clientConfig", () => {
  it("takes a region as it is given, and says that its credentials are remembered", async () => {
    await withAttestedService({}, {}, async ({ service, options }) => {
      const guard = createGuard(options);
      expect(await guard.clientConfig({ region: "eu-west-1" }).region()).toBe("eu-west-1");
      const region = () => Promise.resolve("eu-west-2");
      expect(guard.clientConfig({ region }).region).toBe(region);
      expect(await guard.clientConfig({ region, defaultsMode: "mobile" }).defaultsMode()).toBe("mobile");
      expect(guard.clientConfig().credentials).toHaveProperty("memoized", true);
      expect(service.counters.total).toBe(0);
      expect(await guard.clientConfig({ region, defaultsMode: "auto" }).defaultsMode()).toBe("cross-region");
      await guard.close();
    });
  });

  it.each(["standard", "in-region", "cross-region", "mobile", "legacy", "auto", undefined] as const)(
    "lets a client in defaults mode %s send no IMDS request but the guard's",
    async (mode) => {
      await withAttestedService(
        { env: mode === undefined ? {} : { AWS_DEFAULTS_MODE: mode } },
        {},
        async ({ service, options }) => {
          const guard = createGuard(options);
          const sent: Sent[] = [];
          const client = new STSClient({
            ...guard.clientConfig(),
            maxAttempts: 1,
            requestHandler: recordingHandler(sent) as never,
          });
          await expect(client.send(new GetCallerIdentityCommand({}))).rejects.toThrow();
          expect(sent).toHaveLength(1);
          expect(sent[0]?.hostname).toBe("sts.eu-central-1.amazonaws.com");
          expect(sent[0]?.headers["authorization"]).toContain(`Credential=${service.identity.accessKeyId}/`);
          expect(Object.keys(service.counters.byRequest).filter((request) => !OWN.includes(request))).toEqual([]);
          expect(service.counters.withoutToken).toBe(0);
          await guard.close();
        },
      );
    },
  );

  it.each([
    ["auto", {}, "in-region"],
    ["auto", { AWS_REGION: "us-east-1" }, "cross-region"],
    ["AUTO", { AWS_EXECUTION_ENV: "AWS_Lambda_nodejs22.x", AWS_REGION: "us-east-1" }, "in-region"],
    ["auto", { AWS_EC2_METADATA_DISABLED: "true", AWS_REGION: "us-east-1" }, "standard"],
    ["mobile", {}, "mobile"],
    ["", {}, "legacy"],
  ] as const)("resolves defaults mode %j with %j to %s", async (mode, env, expected) => {
    await withAttestedService({ env: { ...env, AWS_DEFAULTS_MODE: mode } }, {}, async ({ options }) => {
      await expect(createGuard(options).clientConfig().defaultsMode()).resolves.toBe(
        expected satisfies ResolvedDefaultsMode,
      );
    });
  });

  it("takes defaults_mode of the profile, and refuses a word that is none", async () => {
    await withAttestedService({ config: "[default]\ndefaults_mode = cross-region\n" }, {}, async ({ options }) => {
      await expect(createGuard(options).clientConfig().defaultsMode()).resolves.toBe("cross-region");
      const wrong = createGuard(options).clientConfig({ defaultsMode: "fast" as never });
      await expect(wrong.defaultsMode()).rejects.toThrow(TypeError);
    });
  });

  it("goes on without a tuning where an impersonator answers, which is an event and no region", async () => {
    await withAttestedService(
      { env: { AWS_DEFAULTS_MODE: "auto", AWS_REGION: "us-east-1" } },
      { signDocument: undefined },
      async ({ options }) => {
        const events: string[] = [];
        const guard = createGuard({ ...options, onEvent: ({ code }) => events.push(code) });
        await expect(guard.clientConfig().defaultsMode()).resolves.toBe("standard");
        expect(events).toContain("imds.attestation_failed");
        await expect(guard.clientConfig().credentials()).rejects.toMatchObject({
          code: "ERR_IMDS_ATTESTATION_MISSING",
        });
      },
    );
  });
});
