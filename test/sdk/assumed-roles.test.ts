/** The roles of a profile are assumed as the options of its provider say. */
import { describe, expect, it } from "vitest";
import { fromIni } from "../../src/sdk/ini.js";
import { accessKeyIdFor } from "../support/access-keys.mjs";
import { recordingSts } from "./recorder.js";
import { withAttestedService } from "./attested-service.js";
import { inScene } from "./side-by-side.js";

const ROLE = "arn:aws:iam::111122223333:role/app";
const CONFIG = `[default]\nrole_arn = ${ROLE}\nweb_identity_token_file = {HOME}/token\nrole_session_name = s\n`;
const SCENE = { config: CONFIG, files: { token: "jwt" }, env: { AWS_EC2_METADATA_DISABLED: "true" } };
const KEY = accessKeyIdFor("111122223333");

interface Sent {
  readonly hostname: string;
  readonly body: string;
}
const handler = (sent: Sent[]) => ({
  handle(request: Sent) {
    sent.push(request);
    const credentials = `<Credentials><AccessKeyId>${KEY}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2040-01-01T00:00:00Z</Expiration></Credentials>`;
    const xml = ["AssumeRole", "AssumeRoleWithWebIdentity"]
      .map((name) => `<${name}Result>${credentials}</${name}Result>`)
      .join("");
    return Promise.resolve({
      response: { statusCode: 200, headers: {}, body: new TextEncoder().encode(`<R>${xml}</R>`) },
    });
  },
});

describe("a role by a web identity token", () => {
  const QUERY = { Action: "AssumeRoleWithWebIdentity", RoleArn: ROLE, RoleSessionName: "s", WebIdentityToken: "jwt" };

  it.each<[string, (requestHandler: object) => object, object | undefined, string]>([
    [
      "is made with the options of clients that the provider has",
      (requestHandler) => ({ clientConfig: { requestHandler, region: "eu-west-1" } }),
      undefined,
      "sts.eu-west-1.amazonaws.com",
    ],
    [
      "is made with those of the client that it was made for",
      (requestHandler) => ({ parentClientConfig: { requestHandler, region: () => Promise.resolve("eu-west-2") } }),
      undefined,
      "sts.eu-west-2.amazonaws.com",
    ],
    [
      "is made with those of the client that asks",
      (requestHandler) => ({ clientConfig: { requestHandler } }),
      { callerClientConfig: { region: () => Promise.resolve("eu-west-3") } },
      "sts.eu-west-3.amazonaws.com",
    ],
  ])("%s", async (_, init, call, host) => {
    await inScene(SCENE, async () => {
      const sent: Sent[] = [];
      const said: unknown[] = [];
      const plugged: unknown[] = [];
      const provider = fromIni({
        ...init(handler(sent)),
        logger: { debug: (line: unknown) => void said.push(line), info() {}, warn() {}, error() {} },
        clientPlugins: [{ applyToStack: (stack: unknown) => void plugged.push(stack) }],
      } as never);
      expect(await provider(call as never)).toMatchObject({ accessKeyId: KEY, sessionToken: "t" });
      expect(sent.map(({ hostname }) => hostname)).toEqual([host]);
      expect(Object.fromEntries(new URLSearchParams(sent[0]?.body))).toMatchObject(QUERY);
      expect(said).toContain("@aws-sdk/credential-provider-web-identity - fromWebToken");
      expect(plugged.length).toBeGreaterThan(0);
    });
  });
});

it("is left to the one that assumes roles where there is one", async () => {
  await inScene(SCENE, async () => {
    const { calls, roleAssumerWithWebIdentity } = recordingSts();
    expect(await fromIni({ roleAssumerWithWebIdentity } as never)()).toMatchObject({
      sessionToken: expect.any(String) as string,
    });
    expect(calls).toEqual([{ params: { RoleArn: ROLE, RoleSessionName: "s", WebIdentityToken: "jwt" } }]);
  });
});

describe("a role on top of the instance's own", () => {
  const config = `[default]\nrole_arn = ${ROLE}\ncredential_source = Ec2InstanceMetadata\nrole_session_name = s\n`;

  it.each<[string, (requestHandler: object) => object, string]>([
    [
      "is assumed with the options of clients that the provider has",
      (requestHandler) => ({ clientConfig: { requestHandler, region: "eu-west-1" } }),
      "sts.eu-west-1.amazonaws.com",
    ],
    [
      "is assumed with those of the client that it was made for",
      (requestHandler) => ({ parentClientConfig: { requestHandler, region: () => Promise.resolve("eu-west-2") } }),
      "sts.eu-west-2.amazonaws.com",
    ],
  ])("%s", async (_, init, host) => {
    await withAttestedService({ config }, {}, async ({ service, options }) => {
      const sent: Sent[] = [];
      const said: unknown[] = [];
      const plugged: unknown[] = [];
      const provider = fromIni({
        ...init(handler(sent)),
        guard: options,
        logger: { debug: (line: unknown) => void said.push(line), info() {}, warn() {}, error() {} },
        clientPlugins: [{ applyToStack: (stack: unknown) => void plugged.push(stack) }],
      } as never);
      expect(await provider()).toMatchObject({ accessKeyId: KEY, accountId: "111122223333" });
      expect(sent.map(({ hostname }) => hostname)).toEqual([host]);
      expect(JSON.stringify(sent)).toContain(`Credential=${service.identity.accessKeyId}/`);
      expect(said).toContain("@aws-sdk/credential-providers - fromTemporaryCredentials (STS)");
      expect(plugged.length).toBeGreaterThan(0);
    });
  });
});
