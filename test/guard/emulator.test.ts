/** What an emulator for development is trusted with, and what wins over it. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isLocalOrPrivate } from "../../src/base/addresses.js";
import type { HostEvidence } from "../../src/host/report.js";
import { realSystem } from "../../src/base/system.js";
import type { System } from "../../src/base/system.js";
import { decide } from "../../src/guard/decide.js";
import type { DecisionSettings } from "../../src/guard/decide.js";
import { createGuard } from "../../src/guard/create-guard.js";
import { parseEndpoint } from "../../src/settings/endpoint.js";
import type { Endpoint } from "../../src/settings/endpoint.js";

const host = (verdict: "ec2" | "not-ec2" | "unknown") => ({ verdict, reason: "x", evidence: [] as HostEvidence[] });

function settings(endpoint: string, more: Partial<DecisionSettings> = {}): DecisionSettings {
  return {
    mode: "ec2-only",
    attestation: "auto",
    expectedAccounts: [],
    endpointMode: undefined,
    disabledBy: undefined,
    override: { endpoint: parseEndpoint(endpoint) as Endpoint, owner: "aws", setting: "S" },
    emulator: "on",
    ...more,
  };
}

describe("the decision", () => {
  test.each([
    "http://127.0.0.1:1338",
    "http://localhost:1338",
    "http://imds:1338",
    "http://10.1.2.3",
    "http://[fd00::1]",
  ])("%s may be one", (endpoint) => {
    expect(decide(settings(endpoint), host("not-ec2"))).toMatchObject({
      kind: "contact",
      proof: "none",
      emulator: true,
      notices: [{ code: "imds.emulator_allowed" }],
    });
  });

  test.each([
    "http://169.254.169.254",
    "http://[fd00:ec2::254]",
    "http://169.254.1.1",
    "http://8.8.8.8",
    "http://[fe80::1]",
  ])("%s may not", (endpoint) => expect(decide(settings(endpoint), host("not-ec2"))).toMatchObject({ kind: "refuse" }));

  test.each<Partial<DecisionSettings>>([
    { emulator: "off" },
    { mode: "deny" },
    { disabledBy: "AWS_EC2_METADATA_DISABLED" },
    { attestation: "required" },
    { verifyWithSts: "on" },
    { expectedAccounts: ["111122223333"] },
  ])("%j wins over it", (more) => {
    for (const endpoint of ["http://127.0.0.1:1338", "http://imds:1338"])
      expect(decide(settings(endpoint, more), host("not-ec2"))).not.toHaveProperty("emulator");
  });

  test("a host that is EC2 has none", () =>
    expect(decide(settings("http://imds:1338"), host("ec2"))).toMatchObject({ kind: "refuse" }));

  test("without an endpoint there is none", () =>
    expect(decide(settings("http://imds", { override: undefined }), host("not-ec2"))).toMatchObject({
      kind: "refuse",
    }));
});

test.each([
  ["127.0.0.1", true],
  ["::1", true],
  ["10.255.255.255", true],
  ["11.0.0.0", false],
  ["172.15.255.255", false],
  ["172.16.0.1", true],
  ["172.31.255.255", true],
  ["172.32.0.0", false],
  ["192.168.0.1", true],
  ["192.169.0.1", false],
  ["169.254.169.254", false],
  ["fc00::1", true],
  ["fdff::1", true],
  ["fe00::1", false],
  ["fd00:ec2::254", false],
  ["fd00:ec2:1::1", false],
  ["::ffff:10.0.0.1", true],
  ["2001:db8::1", false],
  ["10.0.0", false],
])("%s is of this machine or private: %s", (address, is) => expect(isLocalOrPrivate(address)).toBe(is));

describe("made-up keys and dates", () => {
  let port = 0;
  const server = createServer((request, response) => {
    if (request.method === "PUT") return void response.end("TOKEN");
    if (request.url?.endsWith("/security-credentials/") === true) return void response.end("baskinc-role");
    response.end(
      JSON.stringify({
        Code: "Success",
        LastUpdated: "2020-04-02T18:50:40Z",
        Type: "AWS-HMAC",
        AccessKeyId: "12345678901",
        SecretAccessKey: "v/12345678901",
        Token: "TEST92test48TEST",
        Expiration: "2020-04-02T00:49:51Z",
      }),
    );
  });
  beforeAll(
    () =>
      new Promise<void>((resolve) => {
        server.listen(0, "127.0.0.1", () => {
          port = (server.address() as AddressInfo).port;
          resolve();
        });
      }),
  );
  afterAll(() => server.close());

  const LAPTOP: Readonly<Record<string, string>> = {
    "/sys/class/dmi/id/sys_vendor": "LENOVO\n",
    "/etc/hosts": "127.0.0.1 imds  # compose\n8.8.8.8 elsewhere\n",
  };
  const system = (env: Record<string, string>): System => ({
    ...realSystem,
    platform: "linux",
    env: { IMDS_GUARD_PROBE: "off", IMDS_GUARD_LOG: "off", ...env },
    readFile: (path) =>
      LAPTOP[path] === undefined ? { kind: "absent" } : { kind: "content", bytes: Buffer.from(LAPTOP[path]) },
  });
  const guardAt = (name: string, env: Record<string, string> = {}, codes: string[] = []) =>
    createGuard(
      { onEvent: ({ code }) => void codes.push(code) },
      {
        system: system({
          AWS_EC2_METADATA_SERVICE_ENDPOINT: `http://${name}:${port}`,
          IMDS_GUARD_EMULATOR: "on",
          ...env,
        }),
      },
    );

  test.each(["127.0.0.1", "localhost", "imds"])("are taken from an emulator at %s, with a warning", async (name) => {
    const codes: string[] = [];
    const { accessKeyId, expiration } = await guardAt(name, {}, codes).credentials();
    expect(accessKeyId).toBe("12345678901");
    expect(expiration.getTime()).toBeGreaterThan(Date.now());
    expect(codes).toContain("imds.emulator_allowed");
  });

  test("are taken from nobody where the setting is off", async () => {
    await expect(guardAt("127.0.0.1", { IMDS_GUARD_EMULATOR: "off" }).credentials()).rejects.toMatchObject({
      code: "ERR_IMDS_MALFORMED",
    });
  });

  test("nor where a name leads elsewhere", async () => {
    await expect(guardAt("elsewhere").credentials()).rejects.toMatchObject({
      name: "ImdsRefusedError",
      code: "ERR_IMDS_ENDPOINT_OVERRIDE",
      message: expect.stringContaining(
        "emulator is on, and elsewhere leads to 8.8.8.8, which is neither of this machine nor private",
      ),
      evidence: [{ source: "elsewhere", value: "8.8.8.8", says: "not where an emulator for development may be" }],
      advice: "Let the emulator listen on this machine or at a private address, or remove IMDS_GUARD_EMULATOR.",
    });
  });

  test("nor where an account is expected", async () => {
    await expect(
      guardAt("127.0.0.1", { IMDS_GUARD_EXPECTED_ACCOUNTS: "111122223333" }).credentials(),
    ).rejects.toMatchObject({ code: "ERR_IMDS_MALFORMED" });
  });
});
