import { describe, expect, it } from "vitest";
import { fromTemporaryCredentials } from "../../src/sdk/temporary-credentials.js";
import { withAttestedService } from "./attested-service.js";
import { inScene } from "./side-by-side.js";

const ROLE = { RoleArn: "arn:aws:iam::444455556666:role/target", RoleSessionName: "test" };

interface Sent {
  readonly hostname: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** An STS that hands out one fixed set of credentials and notes who asked. */
function stsHandler(sent: Sent[]) {
  const body =
    "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAWPPO6PFBDKJRTXT4</AccessKeyId><SecretAccessKey>assumed</SecretAccessKey>" +
    "<SessionToken>assumed-token</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>";
  return {
    handle(request: Sent) {
      sent.push(request);
      return Promise.resolve({
        response: { statusCode: 200, headers: { "content-type": "text/xml" }, body: new TextEncoder().encode(body) },
      });
    },
  } as never;
}

describe("fromTemporaryCredentials", () => {
  it("starts from the guarded chain where the SDK would start from its own", async () => {
    await withAttestedService({ env: { AWS_REGION: "eu-central-1" } }, {}, async ({ service, options }) => {
      const sent: Sent[] = [];
      const provider = fromTemporaryCredentials({
        params: ROLE,
        clientConfig: { requestHandler: stsHandler(sent) },
        guard: options,
      });
      await expect(provider()).resolves.toMatchObject({
        accessKeyId: "ASIAWPPO6PFBDKJRTXT4",
        secretAccessKey: "assumed",
      });
      expect(sent[0]?.headers["authorization"]).toContain(`Credential=${service.identity.accessKeyId}/`);
      expect(service.counters.byRequest["GET /latest/dynamic/instance-identity/rsa2048"]).toBe(1);
    });
  });

  it("hands STS nothing that was not proved", async () => {
    await withAttestedService(
      { env: { AWS_REGION: "eu-central-1" } },
      { signDocument: undefined },
      async ({ options }) => {
        const sent: Sent[] = [];
        const provider = fromTemporaryCredentials({
          params: ROLE,
          clientConfig: { requestHandler: stsHandler(sent) },
          guard: options,
        });
        await expect(provider()).rejects.toMatchObject({ code: "ERR_IMDS_ATTESTATION_MISSING" });
        expect(sent).toEqual([]);
      },
    );
  });

  it("leaves given master credentials alone, and holds the result against the expected accounts", async () => {
    await withAttestedService({ env: { AWS_REGION: "eu-central-1" } }, {}, async ({ service, options }) => {
      const sent: Sent[] = [];
      const provider = fromTemporaryCredentials({
        params: ROLE,
        masterCredentials: { accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "given" },
        clientConfig: { requestHandler: stsHandler(sent) },
        guard: { ...options, expectedAccounts: ["111122223333"] },
      });
      await expect(provider()).rejects.toMatchObject({
        name: "CredentialsProviderError",
        code: "ERR_IMDS_ACCOUNT_UNEXPECTED",
        tryNextLink: false,
      });
      expect(sent[0]?.headers["authorization"]).toContain("Credential=AKIAIOSFODNN7EXAMPLE/");
      expect(service.counters.total).toBe(0);
    });
  });

  const PROFILES =
    "[default]\naws_access_key_id = AKIAPROFILE000000001\naws_secret_access_key = secret\n[other]\naws_access_key_id = AKIAPROFILE000000002\naws_secret_access_key = secret\n";

  it.each([
    [undefined, "AKIAPROFILE000000001"],
    ["other", "AKIAPROFILE000000002"],
  ])("starts from profile %s of the client", async (profile, expected) => {
    await inScene(
      { env: { AWS_REGION: "eu-central-1", AWS_EC2_METADATA_DISABLED: "true" }, credentials: PROFILES },
      async () => {
        const sent: Sent[] = [];
        await fromTemporaryCredentials({
          params: ROLE,
          clientConfig: { profile, requestHandler: stsHandler(sent) } as never,
        })();
        expect(sent[0]?.headers["authorization"]).toContain(`Credential=${expected}/`);
      },
    );
  });

  it.each([
    [undefined, false],
    ["other", true],
  ])("takes the guard's settings, too, from profile %s of the client", async (profile, refused) => {
    const config = "[profile other]\nimds_guard_expected_accounts = 111122223333\n";
    await inScene(
      { env: { AWS_REGION: "eu-central-1", AWS_EC2_METADATA_DISABLED: "true" }, credentials: PROFILES, config },
      async () => {
        const sent: Sent[] = [];
        const masterCredentials = { accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "given" };
        const outcome = await fromTemporaryCredentials({
          params: ROLE,
          masterCredentials,
          clientConfig: { profile, requestHandler: stsHandler(sent) } as never,
        })().catch((error: unknown) => error);
        expect(outcome).toMatchObject(
          refused
            ? {
                code: "ERR_IMDS_ACCOUNT_UNEXPECTED",
                message: expect.stringContaining("temporary credentials") as string,
              }
            : { accessKeyId: "ASIAWPPO6PFBDKJRTXT4" },
        );
      },
    );
  });

  it("takes the client's own credentials before any chain", async () => {
    await inScene({ env: { AWS_REGION: "eu-central-1", AWS_EC2_METADATA_DISABLED: "true" } }, async () => {
      const sent: Sent[] = [];
      const credentials = { accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "given" };
      await fromTemporaryCredentials({
        params: ROLE,
        clientConfig: { credentials, requestHandler: stsHandler(sent) } as never,
      })();
      expect(sent[0]?.headers["authorization"]).toContain("Credential=AKIAIOSFODNN7EXAMPLE/");
    });
  });
});
