/** The keys of one profile, as they stand in files that are renewed. */
import { mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { realSystem } from "../../src/base/system.js";
import type { Reporter } from "../../src/events/reporter.js";
import type { SharedKeys } from "../../src/sdk/shared-keys.js";
import { sharedKeysOf } from "../../src/sdk/shared-keys.js";
import { endIn } from "../../src/sdk/shared-keys-end.js";

let folder: string;
let reported: [string, unknown][];
const clock = { now: Date.now(), monotonic: 0 };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "imds-guard-keys-"));
  reported = [];
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(folder, { recursive: true });
});

const path = (name: "config" | "credentials"): string => join(folder, name);
/** As a file that was written a while ago, and never with the time of the one before. */
function write(content: string, name: "config" | "credentials" = "credentials", age = 60_000): void {
  const before = statSync(path(name), { throwIfNoEntry: false })?.ctimeMs;
  do writeFileSync(path(name), content);
  while (statSync(path(name)).ctimeMs === before);
  const then = (clock.now - age) / 1_000;
  utimesSync(path(name), then, then);
}
function services() {
  const report = (code: string, details: unknown): void => void reported.push([code, details]);
  const env = { HOME: folder, AWS_CONFIG_FILE: path("config"), AWS_SHARED_CREDENTIALS_FILE: path("credentials") };
  const system = { ...realSystem, env, now: () => clock.now, monotonic: () => clock.monotonic };
  return { reporter: { report } as unknown as Reporter, system };
}
const keysFor = (name = "default"): SharedKeys => sharedKeysOf(services(), name, {});
const later = (): void => {
  clock.now += 1_001;
  clock.monotonic += 1_001;
};

const ID = "aws_access_key_id = ";
const SECRET = "aws_secret_access_key = ";
const TOKEN = "aws_session_token = ";
const section = (...lines: string[]): string => `[default]\n${lines.map((line) => `${line}\n`).join("")}`;
const TEMPORARY = section(`${ID}ASIA1`, `${SECRET}s1`, `${TOKEN}t1`);
const LASTING = section(`${ID}AKIA1`, `${SECRET}s1`);

describe("a profile holds", () => {
  it.each<[string, string, object | undefined]>([
    ["nothing", "[default]\n", undefined],
    ["keys with a token", TEMPORARY, { accessKeyId: "ASIA1", secretAccessKey: "s1", sessionToken: "t1" }],
    ["long-term keys", LASTING, { accessKeyId: "AKIA1", secretAccessKey: "s1", sessionToken: undefined }],
    [
      "keys of another kind",
      section(`${ID}OTHER`, `${SECRET}s1`),
      { accessKeyId: "OTHER", secretAccessKey: "s1", sessionToken: undefined },
    ],
    ["temporary keys without their token", section(`${ID}ASIA1`, `${SECRET}s1`), undefined],
    ["a key without its secret", section(`${ID}AKIA1`), undefined],
    ["a secret alone", section(`${SECRET}s1`), undefined],
    ["a token alone", section(`${TOKEN}t1`), undefined],
    [
      "all that can stand there",
      `${TEMPORARY}aws_credential_scope = c\naws_account_id = 111122223333\nexpiration = 2040-01-01T00:00:00Z\n`,
      {
        accessKeyId: "ASIA1",
        secretAccessKey: "s1",
        sessionToken: "t1",
        credentialScope: "c",
        accountId: "111122223333",
        expiration: new Date("2040-01-01T00:00:00Z"),
      },
    ],
    ["keys behind a role with a source", `${LASTING}role_arn = a\nsource_profile = b\n`, undefined],
    [
      "keys behind a role of the instance",
      `${LASTING}role_arn = a\ncredential_source = Ec2InstanceMetadata\n`,
      undefined,
    ],
    ["keys beside a role without a source", `${LASTING}role_arn = a\n`, { accessKeyId: "AKIA1" }],
    [
      "keys beside a role with two sources",
      `${LASTING}role_arn = a\nsource_profile = b\ncredential_source = c\n`,
      { accessKeyId: "AKIA1" },
    ],
    ["keys beside a source without a role", `${LASTING}source_profile = b\n`, { accessKeyId: "AKIA1" }],
    ["keys beside a process", `${LASTING}credential_process = x\n`, { accessKeyId: "AKIA1" }],
  ])("%s", async (_, text, keys) => {
    write(text);
    const found = await keysFor().get();
    if (keys === undefined) expect(found).toBeUndefined();
    else {
      expect(found).toMatchObject(keys);
      expect(Object.keys(found ?? {}).sort()).toEqual(
        Object.keys({ sessionToken: undefined, secretAccessKey: "", ...keys }).sort(),
      );
    }
  });
});

describe("keys that were whole last serve", () => {
  const renewed = section(`${ID}ASIA2`, `${SECRET}hidden-key-two`, `${TOKEN}hidden-token-two`);
  it.each<[string, string, string | undefined]>([
    ["until others are there", renewed, "ASIA2"],
    ["while the section is empty", "[default]\n", "ASIA1"],
    ["while the file is empty", "", "ASIA1"],
    ["while the file cannot be used", "[default]\nimds_guard_mode\n", "ASIA1"],
    ["while their token is still to come", section(`${ID}ASIA2`, `${SECRET}hidden-key-two`), "ASIA1"],
    [
      "while the token of keys of another kind is still to come",
      section(`${ID}OTHER`, `${SECRET}hidden-key-two`),
      "ASIA1",
    ],
    ["while their secret is still to come", section(`${ID}AKIA2`), "ASIA1"],
    ["until long-term keys are there", section(`${ID}AKIA2`, `${SECRET}hidden-key-two`), "AKIA2"],
    ...[
      "role_arn = a\nsource_profile = b",
      "credential_source = Environment",
      "credential_process = x",
      "web_identity_token_file = x",
      "sso_start_url = x",
      "sso_session = x",
      "login_session = x",
      "imds_guard_iot_endpoint = x",
    ].map((line): [string, string, undefined] => [
      `not where the section names ${line}`,
      `[default]\n${line}\n`,
      undefined,
    ]),
    ...[`${ID}ASIA2`, `${SECRET}hidden-key-two`, `${TOKEN}hidden-token-two`].map((line): [string, string, string] => [
      `while others are half there beside a process: ${line}`,
      section(line, "credential_process = x"),
      "ASIA1",
    ]),
    ["where the section names what is no credential", "[default]\nregion = x\n", "ASIA1"],
  ])("%s", async (_, text, id) => {
    write(TEMPORARY);
    const keys = keysFor();
    expect((await keys.get())?.accessKeyId).toBe("ASIA1");
    write(text);
    later();
    expect((await keys.get())?.accessKeyId).toBe(id);
  });

  it.each([
    ["another secret", TEMPORARY.replace("s1", "s2")],
    ["another token", TEMPORARY.replace("t1", "t2")],
    ["another key", TEMPORARY.replace("ASIA1", "ASIA2")],
    ["an account", `${TEMPORARY}aws_account_id = 111122223333\n`],
    ["a scope", `${TEMPORARY}aws_credential_scope = c\n`],
    ["an end", `${TEMPORARY}expiration = 2040-01-01T00:00:00Z\n`],
  ])("as the same object until there is %s", async (_, text) => {
    write(TEMPORARY);
    const keys = keysFor();
    const held = await keys.get();
    write(`${TEMPORARY}region = x\n`);
    later();
    expect([await keys.get(), held && keys.isCurrent(held)]).toEqual([held, true]);
    expect(await keys.get()).toBe(held);
    write(text);
    later();
    expect(held && keys.isCurrent(held)).toBe(false);
    expect(await keys.get()).not.toBe(held);
    expect(keys.isCurrent({ accessKeyId: "ASIA1", secretAccessKey: "s1" })).toBe(false);
  });
});

describe("a file that is being written is waited for", () => {
  const HALF = section(`${ID}ASIA1`, `${SECRET}s1`);
  /** Writes once more when the file was looked at so many times again. */
  function during(looks: number, act: () => void): () => number {
    let waits = 0;
    vi.spyOn(globalThis, "setTimeout").mockImplementation(((go: () => void, milliseconds: number) => {
      expect(milliseconds).toBe(200);
      waits += 1;
      clock.now += milliseconds;
      clock.monotonic += milliseconds;
      if (waits === looks) act();
      queueMicrotask(go);
    }) as never);
    return () => waits;
  }
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it("where it holds half of the keys", async () => {
    write(HALF, "credentials", 0);
    const waits = during(1, () => write(TEMPORARY));
    expect([(await keysFor().get())?.accessKeyId, waits()]).toEqual(["ASIA1", 1]);
  });

  it("where the profile is not there yet, and no longer than until it is settled", async () => {
    write("", "credentials", 0);
    const waits = during(1, () => write(TEMPORARY));
    expect([(await keysFor().get())?.accessKeyId, waits()]).toEqual(["ASIA1", 1]);
    write("", "credentials", 0);
    expect([await keysFor().get(), waits()]).toEqual([undefined, 2]);
  });

  it("where keys are whole, by who wants the newest alone", async () => {
    write(TEMPORARY, "credentials", 0);
    const waits = during(1, () => write(section(`${ID}ASIA2`, `${SECRET}hidden-key-two`, `${TOKEN}hidden-token-two`)));
    expect([(await keysFor().get())?.accessKeyId, waits()]).toEqual(["ASIA1", 0]);
    expect([(await keysFor().get(true))?.accessKeyId, waits()]).toEqual(["ASIA2", 1]);
  });

  it("not where the profile is there and holds none", async () => {
    write("[default]\n", "credentials", 0);
    const waits = during(0, () => undefined);
    expect([await keysFor().get(), waits()]).toEqual([undefined, 0]);
  });

  it("not where it is known to hold half of the keys, and others serve", async () => {
    write(TEMPORARY);
    const keys = keysFor();
    await keys.get();
    write(HALF, "credentials", 0);
    expect(keys.look(true).unsettled).toBe(true);
    const waits = during(0, () => undefined);
    expect([(await keys.get())?.accessKeyId, waits()]).toEqual(["ASIA1", 0]);
  });

  it("five times at most", async () => {
    write(HALF, "credentials", 0);
    const waits = during(0, () => undefined);
    const waiting = vi.mocked(setTimeout).getMockImplementation();
    vi.mocked(setTimeout).mockImplementation(((go: () => void, milliseconds: number) => {
      const done = waiting?.(go, milliseconds);
      write(HALF, "credentials", 0);
      return done;
    }) as never);
    expect([await keysFor().get(), waits()]).toEqual([undefined, 5]);
  });

  it("not where there are keys to serve, but by who wants the newest", async () => {
    write(TEMPORARY);
    const keys = keysFor();
    await keys.get();
    later();
    write(HALF, "credentials", 0);
    const waits = during(1, () => write(section(`${ID}ASIA2`, `${SECRET}hidden-key-two`, `${TOKEN}hidden-token-two`)));
    expect([(await keys.get())?.accessKeyId, waits()]).toEqual(["ASIA1", 0]);
    expect([(await keys.get(true))?.accessKeyId, waits()]).toEqual(["ASIA2", 1]);
  });

  it("where the keys that there are have ended", async () => {
    write(`${TEMPORARY}expiration = ${new Date(clock.now + 1_500).toISOString()}\n`);
    const keys = keysFor();
    expect((await keys.get())?.accessKeyId).toBe("ASIA1");
    later();
    later();
    write(HALF, "credentials", 250);
    keys.look(true);
    write(HALF, "credentials", 0);
    keys.look(true);
    const waits = during(1, () => write(section(`${ID}ASIA2`, `${SECRET}hidden-key-two`, `${TOKEN}hidden-token-two`)));
    expect([(await keys.get())?.accessKeyId, waits()]).toEqual(["ASIA2", 1]);
  });
});

describe("news", () => {
  it("is what changed since it was asked last, and is whole", () => {
    write("[default]\nsource_profile = a\n[a]\nsource_profile = b\n[b]\n");
    const keys = keysFor();
    expect([keys.isNews(), keys.isNews()]).toEqual([true, false]);
    write("[default]\nregion = x\n");
    expect(keys.isNews()).toBe(false);
    later();
    expect(keys.isNews()).toBe(true);
    write("[default]\nsource_profile = a\n[a]\nsource_profile = b\n");
    later();
    // A source is gone for a while.
    expect(keys.isNews()).toBe(false);
    write("[default]\nsource_profile = a\n[a]\nsource_profile = default\n");
    later();
    expect([keys.isNews(), keys.isNews()]).toEqual([true, false]);
    write("[default]\nimds_guard_mode\n");
    later();
    expect(keys.isNews()).toBe(false);
  });

  it("is none of a profile that is not there, whatever objects inherit", () => {
    write("[other]\n");
    expect([keysFor().isNews(), keysFor("toString").isNews()]).toEqual([false, false]);
  });
});

describe("renewed keys are told of", () => {
  it("once for each, and not the first", async () => {
    write(TEMPORARY);
    const keys = keysFor();
    const accept = async (): Promise<void> => {
      const held = await keys.get();
      if (held !== undefined) keys.accepted(held);
    };
    await accept();
    await accept();
    expect(reported).toEqual([]);
    write(section(`${ID}ASIARTX3GSDS4374Q3ZY`, `${SECRET}hidden-key-two`, `${TOKEN}hidden-token-two`));
    later();
    await accept();
    await accept();
    write(
      `${section(`${ID}ASIA6RU73QDQ4374Q3ZY`, `${SECRET}hidden-key-three`, `${TOKEN}hidden-token-three`)}expiration = 2040-01-01T00:00:00Z\n`,
    );
    later();
    await accept();
    expect(reported.map(([code]) => code)).toEqual(Array(2).fill("credentials.file_renewed"));
    expect(reported.map(([, details]) => details)).toEqual(
      ["states no end", "ends at 2040-01-01T00:00:00.000Z"].map((says) => ({
        message: `Renewed keys of profile "default" are used, which stand in ${JSON.stringify(path("credentials"))} or the config file`,
        evidence: [{ source: 'profile "default"', value: expect.stringMatching(/^ASIA.*\*/) as string, says }],
        advice: "",
      })),
    );
    expect(JSON.stringify(reported)).not.toMatch(/hidden-|ASIARTX3GSDS4374Q3ZY/);
  });
});

describe("the keys of a guard", () => {
  it("are one for each profile and place, and others for another guard", () => {
    const ours = services();
    const of = (name: string, locations = {}) => sharedKeysOf(ours, name, locations);
    const keys = of("a");
    expect([of("a"), of("a", { filepath: path("credentials"), configFilepath: path("config") })]).toEqual([keys, keys]);
    const others = [
      of("b"),
      of("a", { filepath: "/x" }),
      of("a", { configFilepath: "/x" }),
      sharedKeysOf(services(), "a", {}),
    ];
    for (const other of others) expect(other).not.toBe(keys);
    expect(of("a")).toBe(keys);
  });

  it("are kept for 64 of them", () => {
    const ours = services();
    const of = (name: number) => sharedKeysOf(ours, String(name), {});
    const first = of(0);
    for (let name = 1; name < 64; name += 1) of(name);
    expect(of(0)).toBe(first);
    of(64);
    expect(of(0)).not.toBe(first);
  });
});

describe("an end", () => {
  const NAMES = [
    ..."x_security_token_expires x_security_token_expiration aws_expiration aws_expires".split(" "),
    ..."aws_credential_expiration aws_credentials_expiration aws_session_expiration".split(" "),
    ..."aws_session_token_expiration aws_session_token_expires expiration expires expires_at token_expiration".split(
      " ",
    ),
  ];
  const utc = Date.UTC(2026, 10, 28, 20, 30, 0);

  it.each(NAMES)("is stated by %s, in any letters", (name) => {
    for (const key of [name, name.toUpperCase()]) expect(endIn({ [key]: "2026-11-28T20:30:00Z" })?.getTime()).toBe(utc);
  });

  it("is the earliest of those that are stated, and none where there is none", () => {
    const [one, other] = ["2026-11-28T20:30:00Z", "2026-11-28T20:30:01Z"];
    for (const profile of [
      { expires: one, expiration: other },
      { expires: other, expiration: one },
      { expires: "never", expiration: one },
      { expires: undefined, expiration: one },
    ])
      expect(endIn(profile)?.getTime()).toBe(utc);
    expect(endIn({})).toBeUndefined();
  });

  it.each<[string, number | undefined]>([
    ["2026-11-28 20:30:00 UTC", utc],
    ["2026-11-28 20:30:00 gmt", utc],
    ["2026-11-28t20:30:00z", utc],
    ["2026-11-28T20:30:00.123456789Z", utc + 123],
    ["2026-11-28T20:30:00.5", utc + 500],
    ["2026-11-28 21:30:00 +0100", utc],
    ["2026-11-28T20:30:00-00:00", utc],
    ["'2026-11-28T20:30:00Z'", utc],
    ["\"2026-11-28T20:30:00Z'", undefined],
    ["2026-11-28T20:30:00Z ", undefined],
    ["at 2026-11-28T20:30:00Z", undefined],
    ["2026-11-28T20:30:00Zx", undefined],
    ["2026-11-28", undefined],
    ["20:30:00", undefined],
    ["2026-11-28T20:30:00+01", undefined],
    [String(utc / 1_000), utc],
    [String(utc), utc],
    [`${utc}0`, undefined],
    ["123456789", undefined],
    ["1999-12-31T23:59:59Z", undefined],
    ["2000-01-01T00:00:00Z", Date.UTC(2000, 0, 1)],
    ["2099-12-31T23:59:59Z", Date.UTC(2100, 0, 1) - 1_000],
    ["2100-01-01T00:00:00Z", undefined],
    ["", undefined],
  ])("as %j is %s", (text, time) => {
    expect(endIn({ expiration: text })?.getTime()).toBe(time);
  });
});
