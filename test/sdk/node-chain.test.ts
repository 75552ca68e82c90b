/** What the chain says on its way: to a logger, to the console, and in its last error. */
import { shareInProcess } from "../../src/base/process-wide.js";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { fromNodeProviderChain } from "../../src/sdk/node-chain.js";
import type { FromNodeProviderChainInit } from "../../src/sdk/node-chain.js";
import { withAttestedService } from "./attested-service.js";
import type { Scene } from "./side-by-side.js";
import { inScene } from "./side-by-side.js";

const NO_IMDS = { AWS_EC2_METADATA_DISABLED: "true" };
const KEYS = { AWS_ACCESS_KEY_ID: "AKIAENVIRONMENT00001", AWS_SECRET_ACCESS_KEY: "secret of the environment" };
const PROFILE =
  "[default]\naws_access_key_id = AKIAPROFILE000000001\naws_secret_access_key = secret\n[other]\naws_access_key_id = AKIAPROFILE000000002\naws_secret_access_key = secret\n";

/** What the chain itself tells a logger, without its prefix. */
async function told(scene: Scene, init: FromNodeProviderChainInit = {}): Promise<string[]> {
  const lines: string[] = [];
  const logger = { debug: (line: string) => lines.push(line), info() {}, warn() {}, error() {} };
  await inScene(scene, () =>
    fromNodeProviderChain({ ...init, logger: logger as never })().then(
      () => undefined,
      () => undefined,
    ),
  );
  const prefix = "imds-guard - fromNodeProviderChain::";
  return lines.flatMap((line) => (line.startsWith(prefix) ? [line.slice(prefix.length)] : []));
}

describe("a logger hears of every link that is asked, in order", () => {
  it.each<[string, Scene, FromNodeProviderChainInit, string[]]>([
    [
      "where there is nothing",
      { env: NO_IMDS },
      {},
      ["environment", "profile", "credential process", "web identity token", "instance metadata"],
    ],
    [
      "where a profile is named",
      { env: { ...NO_IMDS, AWS_PROFILE: "x" } },
      {},
      ["profile", "credential process", "web identity token", "instance metadata"],
    ],
    [
      "where a profile is named in code",
      { env: NO_IMDS },
      { profile: "x" },
      ["profile", "credential process", "web identity token", "instance metadata"],
    ],
    ...["ssoStartUrl", "ssoAccountId", "ssoRegion", "ssoRoleName", "ssoSession"].map(
      (name): [string, Scene, FromNodeProviderChainInit, string[]] => [
        `where ${name} is given`,
        { env: NO_IMDS },
        { [name]: "none" },
        ["environment", "SSO"],
      ],
    ),
    [
      "where the environment names a certificate that is incomplete",
      { env: { ...NO_IMDS, IMDS_GUARD_IOT_ENDPOINT: "x.credentials.iot.eu-central-1.amazonaws.com" } },
      {},
      ["environment", "certificate"],
    ],
    [
      "where the environment names a certificate, and code a profile",
      { env: { ...NO_IMDS, IMDS_GUARD_IOT_ENDPOINT: "x.credentials.iot.eu-central-1.amazonaws.com" } },
      { profile: "x" },
      ["profile", "credential process", "web identity token", "instance metadata"],
    ],
    [
      "in a container of ECS",
      { env: { ...NO_IMDS, AWS_CONTAINER_CREDENTIALS_FULL_URI: "http://container.invalid/" } },
      {},
      ["environment", "profile", "credential process", "web identity token", "container (HTTP)", "container"],
    ],
    ["where the environment has keys", { env: { ...NO_IMDS, ...KEYS } }, {}, ["environment"]],
    ["where a profile has keys", { env: NO_IMDS, credentials: PROFILE }, {}, ["environment", "profile"]],
  ])("%s", async (_, scene, init, expected) => {
    expect(await told(scene, init)).toEqual(expected);
  });
});

describe("the end of the chain", () => {
  const failure = (scene: Scene, init: FromNodeProviderChainInit = {}) =>
    inScene(scene, () =>
      fromNodeProviderChain(init)().then(
        () => undefined,
        (error: unknown) => error as Error & { code?: string; tryNextLink?: boolean },
      ),
    );

  it("is the SDK's sentence and the guard's, and the guard's code", async () => {
    expect(await failure({ env: NO_IMDS })).toMatchObject({
      name: "CredentialsProviderError",
      message: expect.stringMatching(/^Could not load credentials from any providers\. IMDS was not asked: /) as string,
      code: "ERR_IMDS_DISABLED",
      tryNextLink: false,
    });
  });

  it("is the SDK's sentence alone in a container, with its last error as the cause", async () => {
    const error = await failure({
      env: { ...NO_IMDS, AWS_CONTAINER_CREDENTIALS_FULL_URI: "http://container.invalid/" },
    });
    expect(error).toMatchObject({ name: "CredentialsProviderError", tryNextLink: false });
    expect(error?.message.startsWith("Could not load credentials from any providers. ")).toBe(false);
  });

  it("comes at once with an error that forbids going on", async () => {
    const error = await failure({
      env: NO_IMDS,
      config:
        "[default]\nrole_arn = arn:aws:iam::444455556666:role/r\ncredential_source = Ec2InstanceMetadata\nmfa_serial = x\n",
    });
    expect(error).toMatchObject({ name: "CredentialsProviderError", tryNextLink: false });
    expect(error?.message).toBe(
      "Profile default requires multi-factor authentication, but no MFA code callback was provided.",
    );
  });
});

describe("two sources at once", () => {
  const warned = Symbol.for("imds-guard.warned-of-two-sources.1");
  // Once in a process, whichever copy of the package said it.
  beforeEach(() => {
    Object.assign(
      shareInProcess(warned, "data", () => ({})),
      { yes: false },
    );
  });
  afterEach(() => vi.restoreAllMocks());
  const WARNING =
    "imds-guard - fromNodeProviderChain WARNING: both a profile and the pair AWS_ACCESS_KEY_ID/AWS_SECRET_ACCESS_KEY are set. As in the AWS SDK, the profile is used.";
  class NoOpLogger {
    readonly lines: string[] = [];
    debug(): void {}
    info(): void {}
    warn(line: string): void {
      this.lines.push(line);
    }
    error(): void {}
  }

  /** The warnings of three calls, to the logger and to the console. */
  async function warnings(env: Record<string, string>, init: FromNodeProviderChainInit = {}): Promise<unknown[]> {
    const seen = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    await inScene({ env: { ...NO_IMDS, ...env }, credentials: PROFILE }, async () => {
      for (let call = 0; call < 3; call++) await fromNodeProviderChain(init)();
    });
    return seen.mock.calls.map(([line]) => line as unknown);
  }

  it("is said once on the console", async () => {
    expect(await warnings({ ...KEYS, AWS_PROFILE: "other" })).toEqual([WARNING]);
  });

  it.each([
    [KEYS, {}],
    [{ AWS_PROFILE: "other" }, {}],
    [{ AWS_PROFILE: "other", AWS_ACCESS_KEY_ID: "AKIA" }, {}],
    [{ AWS_PROFILE: "other", AWS_SECRET_ACCESS_KEY: "s" }, {}],
  ])("is not said of %j", async (env, init) => {
    expect(await warnings(env as Record<string, string>, init)).toEqual([]);
  });

  it("is said to a logger that can warn, and not to one that throws everything away", async () => {
    const lines: string[] = [];
    const logger = { debug() {}, info() {}, warn: (line: string) => lines.push(line), error() {} };
    expect(await warnings({ ...KEYS, AWS_PROFILE: "other" }, { logger: logger as never })).toEqual([]);
    expect(lines).toContain(WARNING);
  });

  it("is said on the console in the place of a logger that throws everything away", async () => {
    const logger = new NoOpLogger();
    expect(await warnings({ ...KEYS, AWS_PROFILE: "other" }, { logger: logger as never })).toEqual([WARNING]);
    expect(logger.lines).not.toContain(WARNING);
  });

  it("is said on the console in the place of a logger that cannot warn", async () => {
    expect(
      await warnings({ ...KEYS, AWS_PROFILE: "other" }, { logger: { debug() {}, info() {}, error() {} } as never }),
    ).toEqual([WARNING]);
  });
});

it("remembers for itself, and passes a forced refresh on", async () => {
  await withAttestedService({}, {}, async ({ service, options }) => {
    const chain = fromNodeProviderChain({ guard: options });
    expect(chain).toHaveProperty("memoized", true);
    const role = "GET /latest/meta-data/iam/security-credentials/app-server";
    await chain();
    await chain();
    expect(service.counters.byRequest[role]).toBe(1);
    await chain({ forceRefresh: true });
    expect(service.counters.byRequest[role]).toBe(2);
  });
});
