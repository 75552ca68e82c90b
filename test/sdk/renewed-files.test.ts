/** Keys in a shared file that somebody renews while the program runs. */
import { mkdtempSync, renameSync, rmSync, truncateSync, unlinkSync, utimesSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { GuardEvent } from "../../src/events/catalogue.js";
import { createGuard } from "../../src/sdk/application-guard.js";
import { fromIni } from "../../src/sdk/ini.js";
import { fromNodeProviderChain } from "../../src/sdk/node-chain.js";
import { endIn } from "../../src/sdk/shared-keys-end.js";
import { accessKeyIdFor } from "../support/access-keys.mjs";
import { fc } from "../support/properties.js";

const ACCOUNT = "111122223333";
const HOUR = 3_600_000;

let folder: string;
let events: GuardEvent[];
let file: string;

beforeEach(() => {
  events = [];
  folder = mkdtempSync(join(tmpdir(), "imds-guard-renewed-"));
  file = join(folder, "credentials");
  for (const name of Object.keys(process.env)) if (/^(?:AWS|IMDS_GUARD)_/.test(name)) vi.stubEnv(name, undefined);
  vi.stubEnv("IMDS_GUARD_PROBE", "off");
  vi.stubEnv("AWS_CONFIG_FILE", join(folder, "config"));
  vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", file);
  vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true");
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

const keyOf = (count: number, account = ACCOUNT): string => accessKeyIdFor(account, String(count));
const sectionOf = (count: number, more = "", account = ACCOUNT): string =>
  `[default]\naws_access_key_id = ${keyOf(count, account)}\naws_secret_access_key = secret-${count}\naws_session_token = token-${count}\n${more}`;
/** As a file that was written a while ago. */
const write = (text: string, path = file): void => {
  writeFileSync(path, text);
  const then = new Date(Date.now() - 5_000);
  utimesSync(path, then, then);
};
const guard = () => ({ log: "off", onEvent: (event: GuardEvent) => events.push(event) }) as const;
const codes = () => events.map(({ code }) => code);
const afterASecond = (): void => {
  vi.setSystemTime(Date.now() + 1_001);
};

describe.each([
  ["fromIni", fromIni],
  ["fromNodeProviderChain", fromNodeProviderChain],
] as const)("%s", (_, from) => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
  });

  test("says that it remembers for itself", () => {
    expect(from()).toHaveProperty("memoized", true);
  });

  test("takes renewed keys within a second, and tells of them once", async () => {
    write(sectionOf(1));
    const provider = from({ guard: guard() });
    expect(await provider({})).toMatchObject({ accessKeyId: keyOf(1), sessionToken: "token-1" });
    write(sectionOf(2));
    expect(await provider({})).toMatchObject({ accessKeyId: keyOf(1) });
    afterASecond();
    expect(await provider({})).toMatchObject({ accessKeyId: keyOf(2), secretAccessKey: "secret-2" });
    expect(await provider()).toMatchObject({ accessKeyId: keyOf(2) });
    afterASecond();
    expect(await provider({})).toMatchObject({ accessKeyId: keyOf(2) });
    expect(codes()).toEqual(["credentials.file_renewed"]);
    expect(JSON.stringify(events)).not.toMatch(/secret-|token-/);
  });

  test("reads at once where a refresh is forced, and for a new provider", async () => {
    write(sectionOf(1));
    const provider = from({ guard: guard() });
    await provider({});
    write(sectionOf(2));
    expect(await provider({ forceRefresh: true } as object)).toMatchObject({ accessKeyId: keyOf(2) });
    write(sectionOf(3));
    expect(await from({ guard: guard() })()).toMatchObject({ accessKeyId: keyOf(3) });
  });

  test("holds renewed keys against the expected accounts", async () => {
    write(sectionOf(1));
    const provider = from({ guard: { ...guard(), expectedAccounts: [ACCOUNT] } });
    await provider({});
    write(sectionOf(2, "", "999988887777"));
    afterASecond();
    await expect(provider({})).rejects.toMatchObject({ code: "ERR_IMDS_ACCOUNT_UNEXPECTED", tryNextLink: false });
    write(sectionOf(3));
    afterASecond();
    expect(await provider({})).toMatchObject({ accessKeyId: keyOf(3) });
    expect(codes().filter((code) => code === "credentials.file_renewed")).toHaveLength(1);
  });

  test("takes no half of a file, and serves what it has while the file is gone", async () => {
    write(sectionOf(1));
    const provider = from({ guard: guard() });
    const now = async () => {
      afterASecond();
      return (await provider({})).accessKeyId;
    };
    await provider({});
    truncateSync(file, 0);
    expect(await now()).toBe(keyOf(1));
    write(sectionOf(2).slice(0, sectionOf(2).indexOf("aws_session_token")));
    expect(await now()).toBe(keyOf(1));
    write(`[default]\naws_access_key_id = ${keyOf(2)}\n`);
    expect(await now()).toBe(keyOf(1));
    write("[default]\n");
    expect(await now()).toBe(keyOf(1));
    unlinkSync(file);
    expect(await now()).toBe(keyOf(1));
    write("[default\nxx");
    expect(await now()).toBe(keyOf(1));
    const other = join(folder, "other");
    write(sectionOf(2), other);
    renameSync(other, file);
    expect(await now()).toBe(keyOf(2));
  });

  test("a section that names something else by now is read anew", async () => {
    write(sectionOf(1));
    const provider = from({ guard: guard() });
    await provider({});
    const answer = `{\\"Version\\":1,\\"AccessKeyId\\":\\"${keyOf(7)}\\",\\"SecretAccessKey\\":\\"x\\",\\"SessionToken\\":\\"y\\"}`;
    write(`[default]\ncredential_process = printf '%s' "${answer}"\n`);
    afterASecond();
    expect(await provider({})).toMatchObject({ accessKeyId: keyOf(7) });
  });

  test("an end that the section states is the end of the credentials", async () => {
    const end = new Date(Date.now() + HOUR);
    write(sectionOf(1, `x_security_token_expires = ${end.toISOString()}\n`));
    const provider = from({ guard: guard() });
    expect((await provider({})).expiration?.getTime()).toBe(end.getTime());
  });

  test("a week beside somebody who renews the file every hour: no call is given keys that have ended", async () => {
    const start = Date.now();
    let count = 0;
    let ends = 0;
    const renew = (): void => {
      count += 1;
      ends = Date.now() + HOUR;
      // In place and in pieces, as aws_signing_helper writes; the agent moves a new file to its place.
      const text = sectionOf(count, `expiration = ${new Date(ends).toISOString()}\n`);
      if (count % 2 === 0) {
        write(text, `${file}.new`);
        renameSync(`${file}.new`, file);
      } else write(text);
    };
    renew();
    const provider = from({ guard: guard() });
    const seen = new Set<string>();
    let calls = 0;
    while (Date.now() < start + 7 * 24 * HOUR) {
      // Ten minutes ahead of the end, as these do.
      if (Date.now() >= ends - HOUR / 6) renew();
      const { accessKeyId, expiration } = await provider({});
      seen.add(accessKeyId);
      expect(expiration?.getTime()).toBeGreaterThan(Date.now());
      calls += 1;
      vi.setSystemTime(Date.now() + HOUR / 12);
    }
    expect(calls).toBe(7 * 24 * 12);
    expect(seen.size).toBe(count);
    expect(codes().filter((code) => code === "credentials.file_renewed")).toHaveLength(count - 1);
  });
});

test("a role on top of renewed keys is assumed with those in the file by then", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
  write(
    "[profile top]\nrole_arn = arn:aws:iam::111122223333:role/top\nsource_profile = default\n",
    join(folder, "config"),
  );
  write(sectionOf(1));
  const sources: string[] = [];
  const provider = fromIni({
    profile: "top",
    guard: guard(),
    roleAssumer: (source) => {
      sources.push(source.accessKeyId);
      const expiration = new Date(Date.now() + HOUR);
      return Promise.resolve({ accessKeyId: keyOf(50), secretAccessKey: "x", sessionToken: "y", expiration });
    },
  });
  await provider({});
  write(sectionOf(2));
  vi.setSystemTime(Date.now() + HOUR + 1);
  await provider({});
  unlinkSync(file);
  vi.setSystemTime(Date.now() + HOUR + 1);
  await provider({});
  expect(sources).toEqual([keyOf(1), keyOf(2), keyOf(2)]);
});

test("a first reading in the middle of a renewal waits for it", async () => {
  writeFileSync(file, sectionOf(1).slice(0, -20));
  const late = setTimeout(() => writeFileSync(file, sectionOf(1)), 100);
  expect(await fromIni({ guard: guard() })()).toMatchObject({ sessionToken: "token-1" });
  clearTimeout(late);
});

test("a client of the SDK, made once, signs with the keys that stand in the file", async () => {
  const signed: string[] = [];
  const server = createServer((request, response) => {
    signed.push(/Credential=([A-Z0-9]+)/.exec(request.headers.authorization ?? "")?.[1] ?? "");
    response.end("x");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const shared = createGuard(guard());
  const { port } = server.address() as AddressInfo;
  const more = { endpoint: `http://127.0.0.1:${port}`, forcePathStyle: true, region: "eu-central-1" };
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
  try {
    write(sectionOf(1));
    const clients = [
      new S3Client({ ...more, credentials: fromIni({ guard: shared }) }),
      new S3Client({ ...more, credentials: fromNodeProviderChain({ guard: shared }) }),
      new S3Client({ ...shared.clientConfig(), ...more }),
    ];
    const ask = () =>
      Promise.all(clients.map((client) => client.send(new GetObjectCommand({ Bucket: "b", Key: "k" }))));
    await ask();
    write(sectionOf(2));
    afterASecond();
    await ask();
    expect(signed).toEqual([1, 1, 1, 2, 2, 2].map((count) => keyOf(count)));
    for (const client of clients) client.destroy();
  } finally {
    server.close();
    await shared.close();
  }
});

describe("ends", () => {
  const utc = Date.UTC(2026, 10, 28, 20, 30, 0);
  test.each([
    ["x_security_token_expires", "2026-11-28T21:30:00+01:00", utc],
    ["x_security_token_expires", "2026-11-28T15:30:00-0500", utc],
    ["aws_expiration", "2026-11-28T20:30:00.000Z", utc],
    ["expiration", "2026-11-28 20:30:00", utc],
    ["Expiration", '"2026-11-28T20:30:00Z"', utc],
    ["aws_credential_expiration", String(utc / 1_000), utc],
    ["aws_session_token_expires", String(utc), utc],
    ["expires", "tomorrow", undefined],
    ["expiration", "0001-01-01T00:00:00Z", undefined],
    ["expiration", "2026-13-28T20:30:00Z", undefined],
    ["region", "2026-11-28T20:30:00Z", undefined],
  ])("%s = %s", (key, value, end) => {
    expect(endIn({ [key]: value })?.getTime()).toBe(end);
  });

  test("of any text: a time of this century, or none", () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        const end = endIn({ expiration: value });
        expect(end === undefined || end.getUTCFullYear() >= 2000).toBe(true);
      }),
    );
  });
});
