/**
 * Every link but IMDS is the SDK's own: both chains over the same inputs give the same credentials and the same errors.
 */
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fromNodeProviderChain as stockChain } from "@aws-sdk/credential-providers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fromNodeProviderChain } from "../../src/sdk/node-chain.js";
import type { FromNodeProviderChainInit } from "../../src/sdk/node-chain.js";
import { recordingSts } from "./recorder.js";
import type { Outcome, Scene } from "./side-by-side.js";
import { sideBySide } from "./side-by-side.js";

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };
/** Closes the stock chain's IMDS link; ours refuses for the same setting. */
const NO_IMDS = { AWS_EC2_METADATA_DISABLED: "true" };
const KEYS = { AWS_ACCESS_KEY_ID: "AKIAENVIRONMENT00001", AWS_SECRET_ACCESS_KEY: "secret of the environment" };
const STATIC = "aws_access_key_id = AKIAPROFILE000000001\naws_secret_access_key = secret/of+the=profile\n";
const ROLE = "role_arn = arn:aws:iam::444455556666:role/";

type Init = Partial<FromNodeProviderChainInit>;

interface Case extends Scene {
  readonly init?: Init | ((home: string) => Init);
  /** What both must come to, so that two chains which fail alike for another reason do not pass. */
  readonly gives: string | RegExp;
}

let container: Server;
let base = "";

beforeAll(async () => {
  container = createServer((request, response) => {
    const known =
      request.headers.authorization === "Basic for-the-container" ||
      request.headers.authorization === "Bearer from-file";
    const body = {
      AccessKeyId: "ASIACONTAINER0000001",
      SecretAccessKey: "secret of the container",
      Token: "token of the container",
      Expiration: "2040-01-01T00:00:00Z",
      AccountId: "777788889999",
    };
    const sso = {
      roleCredentials: {
        accessKeyId: "ASIASSO0000000000001",
        secretAccessKey: "secret of SSO",
        sessionToken: "token of SSO",
        expiration: 2208988800000,
      },
    };
    const path = (request.url ?? "").split("?")[0];
    if (path === "/garbage") response.end("no JSON");
    else if (path === "/incomplete") response.end(JSON.stringify({ AccessKeyId: "A" }));
    else if (path === "/federation/credentials")
      response.setHeader("content-type", "application/json").end(JSON.stringify(sso));
    else
      response
        .writeHead(path === "/missing" ? 404 : known ? 200 : 401)
        .end(JSON.stringify(path === "/missing" ? { Code: "Gone", Message: "gone" } : body));
  });
  await new Promise<void>((resolve) => container.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(container.address() as AddressInfo).port}`;
});

afterAll(() => {
  container.closeAllConnections();
  container.close();
});

const processProfile = (output: object, exit = 0): Pick<Case, "config" | "files"> => ({
  config: `[default]\ncredential_process = "${process.execPath}" "{HOME}/process.mjs"\n`,
  files: {
    "process.mjs": `process.stdout.write(${JSON.stringify(JSON.stringify(output))}); process.exitCode = ${exit};`,
  },
});
const FROM_PROCESS = { Version: 1, AccessKeyId: "ASIAPROCESS000000001", SecretAccessKey: "secret of the process" };
const SSO_URL = "https://sso.invalid/start";
/** As `aws sso login` leaves it: named after the SHA-1 of the start URL. */
const SSO_TOKEN = `.aws/sso/cache/${createHash("sha1").update(SSO_URL).digest("hex")}.json`;
const SSO_INIT = {
  ssoStartUrl: SSO_URL,
  ssoAccountId: "777788889999",
  ssoRegion: "eu-central-1",
  ssoRoleName: "reader",
};
const SSO_PROFILE =
  "sso_start_url = https://sso.invalid/start\nsso_account_id = 777788889999\nsso_region = eu-central-1\nsso_role_name = reader\n";

const CASES: Record<string, Case> = {
  "environment keys": { env: KEYS, gives: KEYS.AWS_ACCESS_KEY_ID },
  "environment keys with token, account, scope and end": {
    env: {
      ...KEYS,
      AWS_SESSION_TOKEN: "token",
      AWS_ACCOUNT_ID: "123456789012",
      AWS_CREDENTIAL_SCOPE: "scope",
      AWS_CREDENTIAL_EXPIRATION: "2040-01-01T00:00:00Z",
    },
    gives: KEYS.AWS_ACCESS_KEY_ID,
  },
  "half a pair in the environment": {
    env: { AWS_ACCESS_KEY_ID: "AKIAENVIRONMENT00001" },
    gives: /^Could not load credentials/,
  },
  "environment keys win over a profile that is not named": {
    env: KEYS,
    credentials: `[default]\n${STATIC}`,
    gives: KEYS.AWS_ACCESS_KEY_ID,
  },
  "AWS_PROFILE wins over environment keys": {
    env: { ...KEYS, AWS_PROFILE: "p" },
    credentials: `[p]\n${STATIC}`,
    gives: "AKIAPROFILE000000001",
  },
  "AWS_PROFILE that does not exist, with environment keys": {
    env: { ...KEYS, AWS_PROFILE: "p" },
    gives: /^Could not load credentials/,
  },
  "empty AWS_PROFILE": { env: { ...KEYS, AWS_PROFILE: "" }, gives: KEYS.AWS_ACCESS_KEY_ID },
  "profile of the options wins over AWS_PROFILE": {
    env: { AWS_PROFILE: "other" },
    credentials: `[p]\n${STATIC}[other]\naws_access_key_id = no\naws_secret_access_key = no\n`,
    init: { profile: "p" },
    gives: "AKIAPROFILE000000001",
  },
  "static profile": { credentials: `[default]\n${STATIC}`, gives: "AKIAPROFILE000000001" },
  "static profile in the config file": {
    config: `[profile p]\n${STATIC}`,
    env: { AWS_PROFILE: "p" },
    gives: "AKIAPROFILE000000001",
  },
  "static profile with token, account and scope": {
    credentials: `[default]\n${STATIC}aws_session_token = t\naws_account_id = 123456789012\naws_credential_scope = s\n`,
    gives: "AKIAPROFILE000000001",
  },
  "files at other places": {
    files: { "elsewhere/a": `[default]\n${STATIC}` },
    env: { AWS_SHARED_CREDENTIALS_FILE: "{HOME}/elsewhere/a", AWS_CONFIG_FILE: "~/elsewhere/none" },
    gives: "AKIAPROFILE000000001",
  },
  "files named by the options": {
    files: { a: `[default]\n${STATIC}` },
    init: (home) => ({ filepath: `${home}/a`, configFilepath: `${home}/none` }),
    gives: "AKIAPROFILE000000001",
  },
  "role over a static source": {
    config: `[default]\n${ROLE}app\nsource_profile = base\nexternal_id = ext\nduration_seconds = 900\nrole_session_name = session\n`,
    credentials: `[base]\n${STATIC}`,
    gives: /^ASIA/,
  },
  "role over a role over a static source": {
    config: `[default]\n${ROLE}outer\nsource_profile = middle\n[profile middle]\n${ROLE}inner\nsource_profile = base\n`,
    credentials: `[base]\n${STATIC}`,
    gives: /^ASIA/,
  },
  "role that names itself as its source": {
    config: `[default]\n${ROLE}app\nsource_profile = default\n`,
    credentials: `[default]\n${STATIC}`,
    gives: /^ASIA/,
  },
  "roles in a circle": {
    config: `[default]\n${ROLE}a\nsource_profile = b\n[profile b]\n${ROLE}b\nsource_profile = default\n`,
    gives: /^Could not load credentials/,
  },
  "role with MFA and nobody to ask": {
    config: `[default]\n${ROLE}app\nsource_profile = base\nmfa_serial = mfa\n`,
    credentials: `[base]\n${STATIC}`,
    gives: /requires multi-factor/,
  },
  "role with MFA": {
    config: `[default]\n${ROLE}app\nsource_profile = base\nmfa_serial = mfa\n`,
    credentials: `[base]\n${STATIC}`,
    init: { mfaCodeProvider: (serial) => Promise.resolve(`code of ${serial}`) },
    gives: /^ASIA/,
  },
  "role over environment keys": {
    config: `[default]\n${ROLE}app\ncredential_source = Environment\n`,
    env: { ...KEYS, AWS_PROFILE: "default" },
    gives: /^ASIA/,
  },
  "role over the container": {
    config: `[default]\n${ROLE}app\ncredential_source = EcsContainer\n`,
    env: {
      AWS_CONTAINER_CREDENTIALS_FULL_URI: "{BASE}/role",
      AWS_CONTAINER_AUTHORIZATION_TOKEN: "Basic for-the-container",
    },
    gives: /^ASIA/,
  },
  "unknown credential_source": {
    config: `[default]\n${ROLE}app\ncredential_source = Nowhere\n`,
    gives: /^Could not load credentials/,
  },
  "source and source_profile at once": {
    config: `[default]\n${ROLE}app\ncredential_source = Environment\nsource_profile = base\n`,
    gives: /^Could not load credentials/,
  },
  "web identity profile": {
    config: `[default]\n${ROLE}web\nweb_identity_token_file = {HOME}/token\nrole_session_name = session\n`,
    files: { token: "jwt" },
    gives: /^ASIA/,
  },
  process: { ...processProfile(FROM_PROCESS), gives: "ASIAPROCESS000000001" },
  "process with token, end, account and scope": {
    ...processProfile({
      ...FROM_PROCESS,
      SessionToken: "t",
      Expiration: "2040-01-01T00:00:00Z",
      AccountId: "123456789012",
      CredentialScope: "s",
    }),
    gives: "ASIAPROCESS000000001",
  },
  "process whose keys have ended": {
    ...processProfile({ ...FROM_PROCESS, Expiration: "2001-01-01T00:00:00Z" }),
    gives: /^Could not load credentials/,
  },
  "process of another version": {
    ...processProfile({ ...FROM_PROCESS, Version: 2 }),
    gives: /^Could not load credentials/,
  },
  "process that fails": { ...processProfile({}, 3), gives: /^Could not load credentials/ },
  "web identity of the environment": {
    env: {
      AWS_WEB_IDENTITY_TOKEN_FILE: "{HOME}/token",
      AWS_ROLE_ARN: "arn:aws:iam::444455556666:role/web",
      AWS_ROLE_SESSION_NAME: "session",
    },
    files: { token: "jwt" },
    gives: /^ASIA/,
  },
  "web identity whose file is missing": {
    env: { AWS_WEB_IDENTITY_TOKEN_FILE: "{HOME}/none", AWS_ROLE_ARN: "arn:aws:iam::444455556666:role/web" },
    gives: /ENOENT/,
  },
  "SSO options that are not complete": {
    init: { ssoStartUrl: "https://sso.invalid/start" },
    gives: /^Incomplete configuration/,
  },
  "SSO options without a cached token": {
    init: SSO_INIT,
    gives: /SSO session associated with this profile is invalid/,
  },
  "SSO options with an expired token": {
    init: SSO_INIT,
    files: { [SSO_TOKEN]: JSON.stringify({ accessToken: "t", expiresAt: "2001-01-01T00:00:00Z" }) },
    gives: /has expired/,
  },
  "SSO options with a token": {
    init: () => ({ ...SSO_INIT, clientConfig: { endpoint: base, region: "eu-central-1" } }),
    files: { [SSO_TOKEN]: JSON.stringify({ accessToken: "t", expiresAt: "2040-01-01T00:00:00Z" }) },
    gives: "ASIASSO0000000000001",
  },
  "SSO profile without a cached token": {
    config: `[default]\n${SSO_PROFILE}`,
    gives: /SSO session associated with this profile is invalid/,
  },
  "SSO profile that is not complete": {
    config: "[default]\nsso_start_url = https://sso.invalid/start\n",
    gives: /invalid SSO credentials/,
  },
  "SSO session without a cached token": {
    config:
      "[default]\nsso_session = s\nsso_account_id = 777788889999\nsso_role_name = reader\n[sso-session s]\nsso_region = eu-central-1\nsso_start_url = https://sso.invalid/start\n",
    gives: /sso session token associated with profile=default was not found or is invalid/i,
  },
  "login session without a cached token": {
    config: "[default]\nlogin_session = arn:aws:iam::111122223333:user/me\nregion = eu-central-1\n",
    gives: /login/i,
  },
  container: {
    env: {
      AWS_CONTAINER_CREDENTIALS_FULL_URI: "{BASE}/role",
      AWS_CONTAINER_AUTHORIZATION_TOKEN: "Basic for-the-container",
    },
    gives: "ASIACONTAINER0000001",
  },
  "container with the token in a file": {
    env: { AWS_CONTAINER_CREDENTIALS_FULL_URI: "{BASE}/role", AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: "{HOME}/auth" },
    files: { auth: "Bearer from-file" },
    gives: "ASIACONTAINER0000001",
  },
  "container without the token": {
    env: { AWS_CONTAINER_CREDENTIALS_FULL_URI: "{BASE}/role" },
    gives: /^Could not load credentials/,
  },
  "container that has none": {
    env: {
      AWS_CONTAINER_CREDENTIALS_FULL_URI: "{BASE}/missing",
      AWS_CONTAINER_AUTHORIZATION_TOKEN: "Basic for-the-container",
    },
    gives: /^Could not load credentials/,
  },
  "container that answers garbage": { env: { AWS_CONTAINER_CREDENTIALS_FULL_URI: "{BASE}/garbage" }, gives: /JSON/ },
  "container that answers half": {
    env: { AWS_CONTAINER_CREDENTIALS_FULL_URI: "{BASE}/incomplete" },
    gives: /^Could not load credentials/,
  },
  "container at no URL": { env: { AWS_CONTAINER_CREDENTIALS_FULL_URI: "no url" }, gives: /Invalid URL/ },
  "nothing at all": { gives: /^Could not load credentials/ },
};

/** Where ours says more than the stock chain, and why. */
const MORE_TELLING: Record<string, Scene & { readonly says: RegExp }> = {
  // The stock chain folds the reason into its last sentence.
  "container at a host that is not allowed": {
    env: { AWS_CONTAINER_CREDENTIALS_FULL_URI: "http://192.0.2.1/role" },
    says: /^192\.0\.2\.1 is not a valid container/,
  },
  // The stock chain takes a file that it cannot read for one without settings.
  "a config file that is no INI": {
    config: "\u0000garbage ec2_metadata",
    says: /config" cannot be used: it contains NUL bytes\. See docs\/errors\.md#ERR_IMDS_GUARD_CONFIG_FILE$/,
  },
  "a credentials file that is no INI": {
    credentials: "[unclosed ec2_metadata",
    says: /credentials" cannot be used: line 1 begins a section/,
  },
};

describe("fromNodeProviderChain beside the stock one", () => {
  // With a logger every link is asked; without one those that have nothing to read are passed over.
  const loggers = { "with a logger": { logger: SILENT }, "without a logger": {} };
  const rows = Object.entries(CASES).flatMap(([name, scene]) =>
    Object.entries(loggers).map(([how, logging]) => [name, how, logging, scene] as const),
  );
  test.each(rows)("%s, %s", async (_, _how, logging, { init, gives, ...scene }) => {
    const env = Object.fromEntries(
      Object.entries({ ...NO_IMDS, ...scene.env }).map(([name, value]) => [name, value.replaceAll("{BASE}", base)]),
    );
    const recorders = { stock: recordingSts(), ours: recordingSts() };
    const options = (who: "stock" | "ours", home: string): Init => {
      const { roleAssumer, roleAssumerWithWebIdentity } = recorders[who];
      return {
        ...logging,
        maxRetries: 0,
        roleAssumer,
        roleAssumerWithWebIdentity,
        ...(typeof init === "function" ? init(home) : init),
      };
    };
    const outcomes = await sideBySide(
      { ...scene, env },
      (home) => stockChain(options("stock", home))(),
      (home) => fromNodeProviderChain(options("ours", home))(),
    );
    expect(comparable(outcomes.ours)).toEqual(outcomes.stock);
    expect(recorders.ours.calls).toEqual(recorders.stock.calls);
    expect(gist(outcomes.stock)).toMatch(gives);
  });

  test.each(Object.entries(MORE_TELLING))(
    "%s: the same kind of error, with the reason",
    async (_, { says, ...scene }) => {
      const { stock, ours } = await sideBySide(
        { ...scene, env: { ...NO_IMDS, ...scene.env } },
        () => stockChain({ logger: SILENT })(),
        () => fromNodeProviderChain({ logger: SILENT })(),
      );
      expect(gist(stock)).toBe("Could not load credentials from any providers");
      expect(ours).toEqual({ ...stock, message: expect.stringMatching(says) as string });
    },
  );
});

/** Where IMDS was the last hope, our error says why it gave nothing, behind the SDK's own sentence. */
function comparable(outcome: Outcome): Outcome {
  if ("credentials" in outcome) return outcome;
  const sentence = "Could not load credentials from any providers";
  const [first, why] = outcome.message.split(/(?<=from any providers)\. /);
  if (first !== sentence || why === undefined) return outcome;
  expect(why).toMatch(
    /^IMDS was not asked: IMDS is disabled by AWS_EC2_METADATA_DISABLED(?:\. See docs\/errors\.md#ERR_IMDS_DISABLED$|; and profile "p", which)/,
  );
  return { ...outcome, message: sentence };
}

function gist(outcome: Outcome): string {
  return "credentials" in outcome ? String(outcome.credentials["accessKeyId"]) : outcome.message;
}
