/**
 * What a program's environment becomes, from where it would have found credentials, and what is taken out of its
 * profile.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { applyChanges, environmentChanges } from "../../src/serving/child-environment.js";
import { NOWHERE } from "../../src/settings/endpoint.js";
import { copyWithoutCredentials, withoutCredentials } from "../../src/serving/config-copy.js";
import type { CredentialOrigin } from "../../src/serving/credential-origin.js";
import { CREDENTIAL_KEYS, credentialOrigin } from "../../src/serving/credential-origin.js";
import { realSystem } from "../../src/base/system.js";
import { fc } from "../support/properties.js";

const SHUT = {
  AWS_EC2_METADATA_DISABLED: "true",
  AWS_EC2_METADATA_V1_DISABLED: "true",
  AWS_EC2_METADATA_SERVICE_ENDPOINT: NOWHERE,
};
const served = { url: "http://127.0.0.1:4000/credentials/x", token: "t0ken" };

describe("environment", () => {
  test("shuts every door, whatever was set before", () => {
    expect(environmentChanges({}, {})).toEqual(SHUT);
    const opened = {
      AWS_EC2_METADATA_DISABLED: "false",
      AWS_EC2_METADATA_SERVICE_ENDPOINT: "http://192.0.2.1",
      AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE: "IPv6",
      HOME: "/home/x",
    };
    expect(applyChanges(opened, environmentChanges(opened, {}))).toEqual({ ...SHUT, HOME: "/home/x" });
  });

  test("leaves the program's own credentials alone where none are served", () => {
    const own = {
      AWS_ACCESS_KEY_ID: "a",
      AWS_SECRET_ACCESS_KEY: "s",
      AWS_PROFILE: "p",
      AWS_WEB_IDENTITY_TOKEN_FILE: "f",
      AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: "/r",
    };
    expect(environmentChanges(own, {})).toEqual(SHUT);
  });

  test("makes served credentials the only ones", () => {
    const own = {
      AWS_ACCESS_KEY_ID: "a",
      AWS_SECRET_ACCESS_KEY: "s",
      AWS_SESSION_TOKEN: "t",
      AWS_WEB_IDENTITY_TOKEN_FILE: "f",
      AWS_ROLE_ARN: "r",
      AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: "/r",
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: "f",
      AWS_REGION: "eu-west-1",
    };
    expect(applyChanges(own, environmentChanges(own, { served, region: "us-east-1" }))).toEqual({
      ...SHUT,
      AWS_CONTAINER_CREDENTIALS_FULL_URI: served.url,
      AWS_CONTAINER_AUTHORIZATION_TOKEN: served.token,
      AWS_REGION: "eu-west-1",
      NO_PROXY: "127.0.0.1",
      no_proxy: "127.0.0.1",
    });
  });

  test.each([
    [{}, "127.0.0.1", "127.0.0.1"],
    [{ NO_PROXY: "a.example, b.example" }, "a.example,b.example,127.0.0.1", "a.example,b.example,127.0.0.1"],
    [{ NO_PROXY: "A", no_proxy: "b" }, "A,127.0.0.1", "b,127.0.0.1"],
    [{ NO_PROXY: "*" }, "*", "*"],
  ])("keeps token and credentials from proxies: %j", (env, upper, lower) => {
    expect(applyChanges(env, environmentChanges(env, { served }))).toMatchObject({ NO_PROXY: upper, no_proxy: lower });
  });

  test("states a region for every SDK, where there is none", () => {
    expect(environmentChanges({}, { region: "eu-west-1" })).toMatchObject({
      AWS_REGION: "eu-west-1",
      AWS_DEFAULT_REGION: "eu-west-1",
    });
    expect(environmentChanges({ AWS_DEFAULT_REGION: "eu-west-2" }, { region: "eu-west-1" })).toEqual(SHUT);
  });

  test("a profile that was named wins over keys in the environment", () => {
    const own = { AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "s", AWS_PROFILE: "p", AWS_DEFAULT_PROFILE: "p" };
    expect(applyChanges(own, environmentChanges(own, { profile: "q" }))).toEqual({
      ...SHUT,
      AWS_PROFILE: "q",
      AWS_DEFAULT_PROFILE: "q",
    });
  });

  test.each([
    [undefined, "/opt/g/register.cjs", "--require /opt/g/register.cjs"],
    ["--max-old-space-size=64", "/opt/g/register.cjs", "--max-old-space-size=64 --require /opt/g/register.cjs"],
    ["--require /opt/g/register.cjs", "/opt/g/register.cjs", "--require /opt/g/register.cjs"],
    [undefined, '/opt/my "g"/register.cjs', '--require "/opt/my \\"g\\"/register.cjs"'],
  ])("NODE_OPTIONS %j with %s", (present, preload, wanted) => {
    expect(
      applyChanges({ NODE_OPTIONS: present }, environmentChanges({ NODE_OPTIONS: present }, { preload }))[
        "NODE_OPTIONS"
      ],
    ).toBe(wanted);
  });
});

describe("origin of credentials", () => {
  const KEYS = { AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "s" };
  const INSTANCE = { role_arn: "arn:aws:iam::111122223333:role/r", credential_source: "Ec2InstanceMetadata" };
  test.each<[CredentialOrigin, Record<string, string>, Record<string, Record<string, string>>, string?]>([
    ["instance", {}, {}],
    ["instance", { AWS_ACCESS_KEY_ID: "a" }, { default: { region: "eu-west-1" }, other: { sso_session: "x" } }],
    ["environment", KEYS, { default: { aws_access_key_id: "a" } }],
    ["profile", { ...KEYS, AWS_PROFILE: "p" }, { p: { credential_process: "x" } }],
    ["profile", KEYS, { p: { sso_session: "x" } }, "p"],
    ["instance", { ...KEYS, AWS_PROFILE: "p" }, {}],
    ["profile", {}, { default: { role_arn: "r", credential_source: "Environment" } }],
    ["profile-of-instance", {}, { default: INSTANCE }],
    ["profile-of-instance", { AWS_PROFILE: "a" }, { a: { role_arn: "r", source_profile: "b" }, b: INSTANCE }],
    [
      "web-identity",
      { AWS_WEB_IDENTITY_TOKEN_FILE: "f", AWS_ROLE_ARN: "r", AWS_CONTAINER_CREDENTIALS_FULL_URI: "u" },
      {},
    ],
    ["container", { AWS_CONTAINER_CREDENTIALS_FULL_URI: "u" }, {}],
    ["container", { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: "u" }, {}],
    ["instance", {}, {}, "constructor"],
  ])("%s: %j %j %s", (origin, env, profiles, profile) => {
    expect(credentialOrigin(env, profiles, profile)).toBe(origin);
  });
});

const CONFIG = `[default]
region = eu-west-1
role_arn = arn:aws:iam::111122223333:role/default

[profile app]
# a comment
role_arn = arn:aws:iam::111122223333:role/app
credential_source = Ec2InstanceMetadata
s3 =
  max_concurrent_requests = 4
  role_arn = not a setting of the profile
region = eu-central-1

[ profile "app two" ]
credential_process = app
`;

describe("a copy of the shared config", () => {
  test.each([
    ["the first line of a profile", "[default]\n aws_access_key_id=Q\nregion = x\n", "[default]\nregion = x\n"],
    ["behind a setting", "[default]\nregion = x\n\taws_secret_access_key = Q\n", "[default]\nregion = x\n"],
    ["of another profile", "[other]\n aws_access_key_id=Q\n", "[other]\n aws_access_key_id=Q\n"],
    ["in a block", "[default]\ns3 = ; of it\n  role_arn = Q\n", "[default]\ns3 = ; of it\n  role_arn = Q\n"],
  ])("an indented key is a key to the SDK: %s", (_, text, left) => {
    expect(withoutCredentials(text, "config", "default")).toBe(left);
  });

  test("lacks the credentials of the one profile and nothing else", () => {
    const without = withoutCredentials(CONFIG, "config", "app");
    const gone = CONFIG.split("\n").filter((line) => !without.split("\n").includes(line));
    expect(gone).toEqual(["role_arn = arn:aws:iam::111122223333:role/app", "credential_source = Ec2InstanceMetadata"]);
    expect(withoutCredentials(CONFIG, "config", "app two")).not.toContain("credential_process");
    expect(withoutCredentials(CONFIG, "config", "default")).not.toContain("role/default");
    expect(withoutCredentials(CONFIG, "config", "absent")).toBe(CONFIG);
    // The AWS SDK for JavaScript takes this for a profile, too.
    expect(
      withoutCredentials(
        "[profile.app]\naws_access_key_id = A\nregion = r\n[profile.default]\nsource_profile = x\n",
        "config",
        "app",
      ),
    ).toBe("[profile.app]\nregion = r\n[profile.default]\nsource_profile = x\n");
    expect(
      withoutCredentials(
        "[app]\nAWS_ACCESS_KEY_ID = A\naws_secret_access_key=\n  s\n[b]\naws_access_key_id=B",
        "credentials",
        "app",
      ),
    ).toBe("[app]\n[b]\naws_access_key_id=B");
  });

  test("never keeps a credential line of the profile, never loses a line of another", () => {
    const name = fc.constantFrom("a", "b");
    const line = fc.oneof(
      fc.constantFrom(...CREDENTIAL_KEYS).map((key) => `${key} = mark`),
      fc.constantFrom("region = x", "# note", "", "s3 ="),
      name.map((profile) => `[profile ${profile}]`),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 20 }), (lines) => {
        let section = "";
        const expected = lines.filter((text) => {
          if (text.startsWith("[")) section = text;
          return !(section === "[profile a]" && text.endsWith("mark"));
        });
        expect(withoutCredentials(lines.join("\n"), "config", "a")).toBe(expected.join("\n"));
      }),
    );
  });

  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "imds-guard-home-"))));
  afterEach(() => rmSync(folder, { recursive: true }));

  test("is private, made only of files that need it, and gone at the end", () => {
    mkdirSync(join(folder, ".aws"));
    writeFileSync(join(folder, ".aws", "config"), CONFIG);
    writeFileSync(join(folder, ".aws", "credentials"), "[other]\naws_access_key_id = A\n");
    const copies = copyWithoutCredentials("app", { ...realSystem, env: { HOME: folder, XDG_RUNTIME_DIR: folder } });
    expect(copies.credentials).toBeUndefined();
    const path = copies.config as string;
    expect(readFileSync(path, "utf8")).toBe(withoutCredentials(CONFIG, "config", "app"));
    if (process.platform !== "win32")
      expect([statSync(path).mode & 0o777, statSync(dirname(path)).mode & 0o777]).toEqual([0o600, 0o700]);
    copies.remove();
    expect(() => statSync(dirname(path))).toThrow(expect.objectContaining({ code: "ENOENT" }));
    expect(() => copies.remove()).not.toThrow();
  });
});
