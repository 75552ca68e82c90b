/** Clients that the SDK's providers make for themselves send no IMDS request, whatever the defaults mode. */
import { createHash } from "node:crypto";
import * as stock from "@aws-sdk/credential-providers";
import { describe, expect, it } from "vitest";
import { fromIni } from "../../src/sdk/ini.js";
import { fromNodeProviderChain } from "../../src/sdk/node-chain.js";
import { fromTemporaryCredentials } from "../../src/sdk/temporary-credentials.js";
import { accessKeyIdFor } from "../support/access-keys.mjs";
import { startImdsServer } from "../support/imds-server.mjs";
import type { Scene } from "./side-by-side.js";
import { inScene } from "./side-by-side.js";

const ROLE = "arn:aws:iam::111122223333:role/app";
const LATER = "2040-01-01T00:00:00Z";
const key = accessKeyIdFor("111122223333");
const credentialsXml = `<Credentials><AccessKeyId>${key}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>${LATER}</Expiration></Credentials>`;

interface Sent {
  readonly hostname: string;
  readonly path: string;
}

/** Answers STS, SSO and its OIDC as they do, and opens no socket. */
const handler = (sent: string[]) => ({
  handle(request: Sent) {
    sent.push(request.hostname.split(".")[0] ?? "");
    const json = request.hostname.startsWith("sts")
      ? undefined
      : request.path.startsWith("/token")
        ? { accessToken: "new", expiresIn: 28_800, tokenType: "Bearer", refreshToken: "r" }
        : {
            roleCredentials: {
              accessKeyId: key,
              secretAccessKey: "s",
              sessionToken: "t",
              expiration: Date.parse(LATER),
            },
          };
    const xml = ["AssumeRole", "AssumeRoleWithWebIdentity"]
      .map((name) => `<${name}Result>${credentialsXml}</${name}Result>`)
      .join("");
    const text = json === undefined ? `<Response>${xml}</Response>` : JSON.stringify(json);
    return Promise.resolve({ response: { statusCode: 200, headers: {}, body: new TextEncoder().encode(text) } });
  },
});

const cache = (name: string, expiresAt: string) => ({
  [`.aws/sso/cache/${createHash("sha1").update(name).digest("hex")}.json`]: JSON.stringify({
    accessToken: "a",
    expiresAt,
    refreshToken: "r",
    clientId: "c",
    clientSecret: "s",
    registrationExpiresAt: LATER,
    region: "eu-central-1",
    startUrl: "https://x.awsapps.com/start",
  }),
});

const SSO = "sso_account_id = 111122223333\nsso_role_name = app\n";
const SCENES: Record<string, Scene & { readonly services: readonly string[] }> = {
  "a role of a profile": {
    config: `[default]\nrole_arn = ${ROLE}\nsource_profile = base\n[profile base]\naws_access_key_id = ${key}\naws_secret_access_key = s\n`,
    services: ["sts"],
  },
  "a web identity of a profile": {
    config: `[default]\nrole_arn = ${ROLE}\nweb_identity_token_file = {HOME}/token\n`,
    files: { token: "jwt" },
    services: ["sts"],
  },
  "an SSO profile": {
    config: `[default]\n${SSO}sso_start_url = https://x.awsapps.com/start\nsso_region = eu-central-1\n`,
    files: cache("https://x.awsapps.com/start", LATER),
    services: ["portal"],
  },
  "an SSO session whose token is renewed": {
    config: `[default]\n${SSO}sso_session = work\n[sso-session work]\nsso_start_url = https://x.awsapps.com/start\nsso_region = eu-central-1\n`,
    files: cache("work", new Date(Date.now() + 60_000).toISOString()),
    services: ["oidc", "portal"],
  },
};

type Provider = (options: object) => Promise<{ accessKeyId: string }>;

const PROVIDERS: Record<string, { readonly ours: Provider; readonly theirs: Provider }> = {
  fromIni: { ours: (options) => fromIni(options)(), theirs: (options) => stock.fromIni(options)() },
  "the chain": {
    ours: (options) => fromNodeProviderChain(options)(),
    theirs: (options) => stock.fromNodeProviderChain(options)(),
  },
};

/** Requests that reached IMDS while `act` ran: the guard itself sends none, because its mode is `deny`. */
async function requestsOf(scene: Scene, act: () => Promise<unknown>): Promise<number> {
  const imds = await startImdsServer();
  try {
    const env = {
      AWS_DEFAULTS_MODE: "auto",
      AWS_REGION: "eu-central-1",
      AWS_EC2_METADATA_SERVICE_ENDPOINT: imds.url,
      IMDS_GUARD_MODE: "deny",
      ...scene.env,
    };
    await inScene({ ...scene, env }, act);
    return imds.counters.total;
  } finally {
    await imds.close();
  }
}

describe.each(Object.entries(PROVIDERS))("%s", (_, { ours, theirs }) => {
  it.each(Object.entries(SCENES))("with %s: no request of ours, though the stock one sends some", async (_, scene) => {
    const sent: string[] = [];
    const options = { clientConfig: { requestHandler: handler(sent) as never }, ignoreCache: true };
    const requests = await requestsOf(scene, async () => {
      expect((await ours(options)).accessKeyId).toBe(key);
    });
    expect(requests).toBe(0);
    // The SDK renews a token of SSO at most once in 30 seconds.
    expect(scene.services).toEqual(expect.arrayContaining(sent));
    expect(sent).toContain(scene.services.at(-1));
    // What shows that the measurement would see one. The SDK gives no options to the client of a web identity.
    if (scene.files?.["token"] === undefined) expect(await requestsOf(scene, () => theirs(options))).toBeGreaterThan(0);
  });
});

describe("fromTemporaryCredentials and a web identity of the environment", () => {
  it("send none", async () => {
    const sent: string[] = [];
    const clientConfig = { requestHandler: handler(sent) as never };
    const env = {
      AWS_WEB_IDENTITY_TOKEN_FILE: "{HOME}/token",
      AWS_ROLE_ARN: ROLE,
    };
    const files = { token: "jwt" };
    const masterCredentials = { accessKeyId: key, secretAccessKey: "s" };
    const params = { RoleArn: ROLE, RoleSessionName: "x" };
    const act = async () => {
      await fromTemporaryCredentials({ params, clientConfig, masterCredentials })();
      await fromNodeProviderChain({ clientConfig })();
    };
    expect(await requestsOf({ env, files }, act)).toBe(0);
    expect(sent).toEqual(["sts", "sts"]);
  });
});
