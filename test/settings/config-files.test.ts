import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseKnownFiles } from "@smithy/shared-ini-file-loader";
import { describe, expect, test, vi } from "vitest";
import type { FileRead } from "../../src/base/system.js";
import type { FileKind } from "../../src/settings/locations.js";
import { readAllProfiles, readProfile } from "../../src/settings/config-files.js";
import { complaintAbout } from "../../src/settings/ini.js";
import { MAX_CONFIG_FILE } from "../../src/settings/locations.js";
import { makeHome } from "./home.js";
import { fc } from "../support/properties.js";

// Properties and processes of their own take their time on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

const complaint = (text: string | Buffer, kind: FileKind = "config", profile = "default"): string | undefined =>
  complaintAbout(Buffer.from(text), kind, profile);

describe("a file that is let pass", () => {
  test.each<[string, string]>([
    ["empty", ""],
    ["white space", " \n\t\r\n\n"],
    ["comments", "# one\n; two\n  # three\n[default] # four\nregion = eu-west-1 ; five\n"],
    ["a semicolon and a number sign within values", "[default]\nkey = a;b#c\n"],
    [
      "a nested block",
      "[default]\ns3 =\n  max_concurrent_requests = 20\n  addressing_style = path\nregion = eu-west-1\n",
    ],
    ["a nested block with tabs, comments and blank lines", "[default]\ns3 =\n\ta = 1\n\n\t# comment\n\tb = 2\n"],
    [
      "every kind of section",
      "[default]\n[profile a]\n[sso-session x]\nsso_region = eu-west-1\n[services y]\ns3 =\n  endpoint_url = http://localhost\n[plugins]\nx = y\n[preview]\ncloudfront = true\n",
    ],
    ["CRLF", "[default]\r\nregion = eu-west-1\r\ns3 =\r\n  a = b\r\n"],
    ["a byte order mark", "\ufeff[default]\nregion = eu-west-1\n"],
    ["a byte order mark before a comment", "\ufeff# written on Windows\n[default]\n"],
    ["no line end at the end", "[default]\nregion = eu-west-1"],
    ["equals signs within values", "[default]\ncredential_process = /bin/x --a=b --c = d\n"],
    ["empty values", "[default]\nregion =\noutput = \n"],
    ["continued values", "[default]\nname = value\n -continued\n -and continued\n"],
    ["quoted profile names", "[profile \"a\"]\n[profile 'b']\n"],
    ["names in all letters", "[profile a-b_c@d+e.f%g:h/i]\nk-e_y.1 = v\n"],
    ["indented lines throughout", "  [default]\n  region = eu-west-1\n  output = json\n"],
    ["text in other languages", "[default]\n# \u00fcber \u65e5\u672c\nregion = eu-west-1\n"],
    ["sections twice", "[default]\na = 1\n[default]\na = 2\n"],
    ["names with a space in them, which are ignored", "[default]\nin valid = value\n"],
    ["a brace in a value", "[default]\nx = [y\n"],
    ["sections of other tools", "[profile  other]\n[ spaced ]\nx = y\n"],
  ])("%s", (_, text) => expect(complaint(text)).toBeUndefined());

  test("credentials of many profiles", () => {
    expect(
      complaint("[default]\naws_access_key_id = A\n[other]\naws_access_key_id = B\n[with.dot]\n[a b]\n", "credentials"),
    ).toBeUndefined();
  });
});

describe("a file that is complained about", () => {
  test.each<[string, string | Buffer, string]>([
    ["invalid UTF-8", Buffer.from([0x5b, 0xff, 0x5d]), "it is not UTF-8 text"],
    ["UTF-16", Buffer.from("\ufeff[default]\n", "utf16le"), "it is not UTF-8 text"],
    ["NUL", "[default]\n\0", "it contains NUL bytes"],
    ["UTF-16 without a mark", Buffer.from("[default]\n", "utf16le"), "it contains NUL bytes"],
    ["prose", "hello world\n", 'line 1 is neither a section nor "name = value"'],
    ["JSON", '{"profile": "x"}', 'line 1 is neither a section nor "name = value"'],
    ["YAML", "[default]\nimds_guard_mode: deny\n", 'line 2 is neither a section nor "name = value"'],
    ["a section that is not closed", "\n[default\n", "line 2 begins a section and does not close it"],
    ["a section with something behind it", "[default] x\n", "line 1 begins a section and does not close it"],
    [
      "a section with a comment right behind it, which the loader passes over",
      "[profile a]\n[default]; mine\nimds_guard_mode = deny\n",
      "line 2 has a comment right behind a section",
    ],
    ["a property before any section", "# x\nimds_guard_mode = deny\n", "line 2 stands before the first section"],
    ["a property without name", "[default]\n= x\n", 'line 2 is neither a section nor "name = value"'],
    [
      "a name without value",
      "[default]\nregion = x\nimds_guard_mode\n",
      'line 3 is neither a section nor "name = value"',
    ],
    [
      "an indented line that continues nothing",
      "[default]\n  nothing\n",
      'line 2 is neither a section nor "name = value"',
    ],
    ["garbage in a nested block", "[default]\ns3 =\n  nothing\n", 'line 3 is neither a section nor "name = value"'],
    [
      "garbage behind a line of a nested block",
      "[default]\ns3 =\n  a = b\n  nothing\n",
      'line 4 is neither a section nor "name = value"',
    ],
    [
      "a word that is set in behind a block that ended",
      "[default]\ns3 =\n  a = b\n[other]\n  nothing\n",
      'line 5 is neither a section nor "name = value"',
    ],
    [
      "carriage returns as line ends",
      "[default]\rimds_guard_mode = deny\r",
      "line 1 begins a section and does not close it",
    ],
    ["a merge conflict", "<<<<<<< HEAD\n[default]\n", 'line 1 is neither a section nor "name = value"'],
    ["a profile __proto__", "[__proto__]\nx = y\n", 'line 1 names a profile "__proto__"'],
    ["a profile __proto__ by its long name", "[profile __proto__]\nx = y\n", 'line 1 names a profile "__proto__"'],
    [
      "a profile constructor, by which the loader would write into Object",
      "[default]\n[profile constructor]\nkeys = x\n",
      'line 2 names a profile "constructor"',
    ],
    ["a profile toString in quotes", '[profile "toString"]\nx = y\n', 'line 1 names a profile "toString"'],
    [
      "the profile in question in quotes",
      '["default"]\nimds_guard_mode = deny\n',
      'line 1 means profile "default" in a form that the AWS SDK for JavaScript passes over',
    ],
    [
      "the profile in question with white space in its brackets",
      "[ default ]\nimds_guard_mode = deny\n",
      'line 1 means profile "default" in a form that the AWS SDK for JavaScript passes over; it reads "[default]"',
    ],
  ])("%s", (_, text, expected) => expect(complaint(text)).toContain(expected));

  test.each([
    "[profile  prod]",
    "[ profile prod]",
    "[profile prod ]",
    "[profile\t\tprod]",
    '[profile " prod"]',
    '[profile  "prod"]',
  ])("%s where profile prod is asked for", (section) => {
    expect(complaint(`${section}\nimds_guard_mode = deny\n`, "config", "prod")).toContain('it reads "[profile prod]"');
    expect(complaint(`${section}\nimds_guard_mode = deny\n`, "config", "other")).toBeUndefined();
  });

  test.each([
    ["[ prod]", "prod"],
    ["[my prod]", "my prod"],
  ])("%s of the credentials file where it is asked for", (section, profile) => {
    expect(complaint(`${section}\nx = y\n`, "credentials", profile)).toContain("passes over");
  });
});

describe("readProfile", () => {
  test("merges both files, credentials last", async () => {
    const home = makeHome({
      config: "[default]\na = 1\nb = 1\n[profile x]\nc = 3\n",
      credentials: "[default]\nb = 2\n",
    });
    const read = (name: string) => {
      const { exists, profile } = readProfile(name, {}, home.system());
      return { exists, profile };
    };
    expect(read("default")).toEqual({ exists: true, profile: { a: "1", b: "2" } });
    expect(read("x")).toEqual({ exists: true, profile: { c: "3" } });
  });

  test("a missing profile is an empty one, whatever objects inherit", async () => {
    const home = makeHome({ config: "[default]\na = 1\n" });
    for (const name of ["missing", "__proto__", "constructor", "toString"]) {
      expect(readProfile(name, {}, home.system())).toMatchObject({ name, exists: false, profile: {} });
    }
  });

  test("missing files are empty ones", async () => {
    const home = makeHome();
    const nothing = { name: "default", exists: false, profile: {}, own: [], refusesAll: false };
    expect(readProfile("default", {}, home.system())).toEqual(nothing);
    expect(readProfile("default", { configFilepath: join(home.config, "below") }, home.system())).toEqual(nothing);
  });

  test("a byte order mark does not hide the first section", async () => {
    const home = makeHome({ config: "\ufeff[default]\nimds_guard_mode = deny\n" });
    expect(readProfile("default", {}, home.system()).profile).toEqual({ imds_guard_mode: "deny" });
  });

  test("files are found by init, environment, and home, in this order", async () => {
    const home = makeHome({ config: "[default]\nfrom = home\n" });
    writeFileSync(join(home.directory, "env"), "[default]\nfrom = env\n");
    writeFileSync(join(home.directory, "init"), "[default]\nfrom = init\n");
    const from = async (env: Record<string, string>, init?: string) =>
      readProfile("default", { configFilepath: init }, home.system(env)).profile["from"];
    expect(await from({})).toBe("home");
    expect(await from({ AWS_CONFIG_FILE: "" })).toBe("home");
    expect(await from({ AWS_CONFIG_FILE: join(home.directory, "env") })).toBe("env");
    expect(await from({ AWS_CONFIG_FILE: "~/env" })).toBe("env");
    expect(await from({ AWS_CONFIG_FILE: "~/env" }, join(home.directory, "init"))).toBe("init");
    expect(await from({ AWS_CONFIG_FILE: "~/env" }, "~/init")).toBe("init");
    expect(await from({ HOME: "", USERPROFILE: home.directory })).toBe("home");
    expect(await from({ HOME: "", HOMEDRIVE: "", HOMEPATH: home.directory })).toBe("home");
  });

  test.each(["config", "credentials"] as const)("an unusable %s file is a problem that names it", (which) => {
    const home = makeHome();
    const path = home[which];
    const problemOf = (all: boolean): string | undefined => {
      const { problem, profile, refusesAll } = readProfile("default", {}, home.system());
      expect([profile, refusesAll, problem?.code, problem?.tryNextLink]).toEqual([
        {},
        all,
        "ERR_IMDS_GUARD_CONFIG_FILE",
        false,
      ]);
      expect(problem?.advice).toContain(which === "config" ? "AWS_CONFIG_FILE" : "AWS_SHARED_CREDENTIALS_FILE");
      return problem?.message;
    };
    mkdirSync(path);
    expect(problemOf(false)).toBe(
      `The shared config file "${path}" cannot be used: it is a directory. See docs/errors.md#ERR_IMDS_GUARD_CONFIG_FILE`,
    );
    execFileSync("rmdir", [path]);
    writeFileSync(path, "x".repeat(MAX_CONFIG_FILE + 1));
    expect(problemOf(true)).toContain("it is larger than 1048576 bytes");
    writeFileSync(path, "[default\nimds_guard_mode = deny\n");
    expect(problemOf(true)).toContain("line 1 begins a section");
    writeFileSync(path, "[default\ndisable_ec2_metadata = true\n");
    expect(problemOf(false)).toContain("line 1 begins a section");
  });

  test.skipIf(process.platform === "win32")("a named pipe is a problem and is not waited for", async () => {
    const home = makeHome();
    execFileSync("mkfifo", [home.config]);
    const { problem } = readProfile("default", {}, home.system());
    expect(problem?.message).toContain("it is a named pipe and no regular file (ENOTREG)");
  });

  test("an unreadable file is a problem", async () => {
    const home = makeHome({ config: "[default]\n" });
    const { problem } = readProfile(
      "default",
      {},
      home.system({}, { [home.config]: { kind: "unreadable", code: "EACCES" } }),
    );
    expect(problem?.message).toContain("it cannot be read (EACCES)");
  });

  test.skipIf(process.platform === "win32" || process.getuid?.() === 0)(
    "a file without permission is a problem",
    async () => {
      const home = makeHome({ config: "[default]\n" });
      chmodSync(home.config, 0);
      expect(readProfile("default", {}, home.system()).problem?.message).toContain("EACCES");
    },
  );

  test("a file of exactly the largest size is read", async () => {
    const text = "[default]\na = 1\n";
    const home = makeHome({ config: text + "#".repeat(MAX_CONFIG_FILE - text.length) });
    expect(readProfile("default", {}, home.system()).profile).toEqual({ a: "1" });
  });

  test.each<[string, { config: string; credentials: string }]>([
    ["the unusable file itself", { config: "[default\nimds_guard_mode = deny\n", credentials: "" }],
    ["the unusable file, in other letters", { config: "", credentials: "[default\nImds_Guard_Mode = deny\n" }],
    ["the other file", { config: "[default]\nimds_guard_mode = deny\n", credentials: "ec2_metadata" }],
    ["the other file, read later", { config: "ec2_metadata", credentials: "[default]\nimds_guard_mode = deny\n" }],
  ])("settings of the guard are not lost with a file: %s mentions one", async (_, files) => {
    const { refusesAll, problem } = readProfile("default", {}, makeHome(files).system());
    expect([refusesAll, problem?.code]).toEqual([true, "ERR_IMDS_GUARD_CONFIG_FILE"]);
  });

  test("no file can reach what all objects inherit", async () => {
    const names = ["constructor", "__proto__", "toString", "hasOwnProperty", "__defineGetter__"];
    for (const name of names) {
      for (const config of [
        `[${name}]\npolluted = yes\n`,
        `[profile ${name}]\npolluted = yes\n`,
        `[default]\n${name} = yes\n`,
        `[default]\n${name} =\n  polluted = yes\n`,
      ]) {
        readProfile("default", {}, makeHome({ config, credentials: config.replace("profile ", "") }).system());
      }
    }
    for (const inherited of [Object, Object.prototype, Object.prototype.toString, Object.prototype.hasOwnProperty]) {
      expect("polluted" in inherited).toBe(false);
    }
  });
});

describe("[default] beside [profile default] in the config file", () => {
  test.each<[string, string, Record<string, string>]>([
    ["is passed over", "[default]\na = 1\nb = 1\n[profile default]\na = 2\n", { a: "2" }],
    ["is passed over in any order", "[profile default]\na = 2\n[default]\na = 1\nb = 1\n", { a: "2" }],
    ["counts where the other is empty", "[profile default]\na =\n[default]\na = 1\n", { a: "1" }],
    ["counts where the other has nothing", "[default]\na = 1\n[profile default]\n", { a: "1" }],
    [
      "counts where the other has a name without a value, too",
      "[profile default]\na =\nb = 2\n[default]\na = 1\n",
      { b: "2" },
    ],
  ])("%s", (_, config, profile) => {
    expect(readProfile("default", {}, makeHome({ config }).system()).profile).toEqual(profile);
  });

  test("is the SDK's rule for that file and that profile alone", () => {
    const config = "[profile x]\na = 1\n[x]\na = 9\n";
    const credentials = "[profile default]\nb = 2\n[default]\nb = 1\nc = 1\n[x]\nc = 3\n";
    const { system } = makeHome({ config, credentials });
    expect(readProfile("default", {}, system()).profile).toEqual({ b: "1", c: "1" });
    expect(readProfile("x", {}, system()).profile).toEqual({ a: "1", c: "3" });
  });
});

describe("the keys of this package in a profile", () => {
  test("are told by file, the credentials file in front, with all their values and however they are written", () => {
    const config =
      "[default]\nimds_guard_mode = deny\nregion = x\nImds-Guard-Mode =\n[default]\nimds_guard_mode = allow\n[profile x]\nimds_guard_log = off\n";
    const { own } = readProfile("default", {}, makeHome({ config, credentials: "[default]\na = b\n" }).system());
    expect(own).toEqual([
      { kind: "credentials", keys: new Map() },
      {
        kind: "config",
        keys: new Map([
          ["imds_guard_mode", ["deny", "allow"]],
          ["Imds-Guard-Mode", [""]],
        ]),
      },
    ]);
  });
});

describe("every profile", () => {
  const read = (config?: string, credentials?: string): ReturnType<typeof readAllProfiles> => {
    const home = makeHome({
      ...(config !== undefined && { config }),
      ...(credentials !== undefined && { credentials }),
    });
    return readAllProfiles("default", {}, home.system());
  };

  test("of both files is there by name, without what objects inherit", () => {
    const { profiles } = read("[default]\na = 1\n[profile x]\nb = 2\n", "[x]\nb = 3\n[y]\n");
    expect(profiles).toEqual({ default: { a: "1" }, x: { b: "3" }, y: {} });
    expect(Object.getPrototypeOf(profiles)).toBeNull();
    expect(Object.getPrototypeOf(profiles?.["x"])).toBeNull();
  });

  test("is none where a file cannot be used", () => {
    expect(read("[default]\n", "[__proto__]\n").profiles).toBeUndefined();
    expect(read("[default]\n", "imds_guard_mode\n").profiles).toBeUndefined();
    expect(read("[default]\n", "no file of settings\n").profiles).toEqual({ default: {} });
  });

  test.each<[string | undefined, string | undefined, boolean]>([
    [undefined, undefined, true],
    ["", undefined, true],
    ["[default]\n", "[default]\r\n", true],
    ["[default]", "[default]\n", false],
    ["[default]\n", "[default]\na = b", false],
    ["[default]", undefined, false],
    ["imds_guard_mode", undefined, false],
  ])("of %j and %j: whole is %s", (config, credentials, whole) => {
    expect(read(config, credentials).whole).toBe(whole);
  });
});

describe("a file of another user", () => {
  test("is passed over at its default place, the first of them is told of, and the other one counts", () => {
    const home = makeHome({ config: "[default]\na = 1\n", credentials: "[default]\nb = 2\n" });
    vi.spyOn(process, "geteuid").mockReturnValue(4_242);
    try {
      const denied = { kind: "unreadable", code: "EACCES" } as const;
      const one = readProfile("default", {}, home.system({}, { [home.credentials]: denied }));
      expect([one.profile, one.exists, one.problem, one.refusesAll]).toEqual([{ a: "1" }, true, undefined, false]);
      expect(one.passedOver).toMatchObject({
        code: "ERR_IMDS_GUARD_CONFIG_FILE",
        evidence: [{ source: home.credentials, says: "it cannot be read (EACCES)" }],
      });
      expect(one.passedOver?.advice).toContain("point AWS_SHARED_CREDENTIALS_FILE at another one");
      const both = readProfile("default", {}, home.system({}, { [home.config]: denied, [home.credentials]: denied }));
      expect([both.profile, both.exists]).toEqual([{}, false]);
      expect(both.passedOver?.evidence[0]?.source).toBe(home.config);
      // Beside one that cannot be used.
      writeFileSync(home.credentials, "[__proto__]\n");
      const worse = readProfile("default", {}, home.system({}, { [home.config]: denied }));
      expect(worse).toMatchObject({ exists: true, profile: {}, own: [], refusesAll: false });
      expect([worse.problem?.evidence[0]?.source, worse.passedOver?.evidence[0]?.source]).toEqual([
        home.credentials,
        home.config,
      ]);
    } finally {
      vi.restoreAllMocks();
    }
  });
});

test("what a file that cannot be used is told of", () => {
  const home = makeHome({ config: "[__proto__]\n" });
  const problemWith = (read?: FileRead) =>
    readProfile("default", {}, home.system({}, read && { [home.config]: read })).problem;
  expect(problemWith()).toMatchObject({
    message: `The shared config file "${home.config}" cannot be used: line 1 names a profile "__proto__", which the AWS SDK cannot hold. See docs/errors.md#ERR_IMDS_GUARD_CONFIG_FILE`,
    evidence: [{ source: home.config, says: 'line 1 names a profile "__proto__", which the AWS SDK cannot hold' }],
    advice:
      'Repair or remove the file, or point AWS_CONFIG_FILE at another one. Allowed: UTF-8 text of "[profile name]" sections and "name = value" lines, at most 1 MiB.',
  });
  expect(problemWith({ kind: "unreadable", code: "ERR_ACCESS_DENIED" })?.advice).toContain(
    `--allow-fs-read=${home.config} `,
  );
  expect(problemWith({ kind: "unreadable", code: "EIO" })?.advice).toContain("Repair or remove the file");
});

describe("beside the SDK's loader", () => {
  const word = fc.constantFrom("default", "prod", "a.b", "my dev", "imds_guard_mode", "region", "s3", "deny", "x");
  const space = fc.constantFrom("", "", " ", "  ", "\t");
  const section = fc
    .tuple(
      space,
      fc.constantFrom("", "profile ", "profile  ", "profile\t", "profile.", "sso-session ", "services "),
      fc.constantFrom("", '"', "'"),
      word,
      space,
    )
    .map(([a, prefix, quote, name, b]) => `[${a}${prefix}${quote}${name}${quote}${b}]`);
  const property = fc
    .tuple(space, word, space, fc.constant("="), space, fc.oneof(word, fc.constant("")))
    .map((parts) => parts.join(""));
  const noise = fc.oneof(
    { arbitrary: fc.constantFrom("", "# comment", "; comment", "\t"), weight: 9 },
    fc.constantFrom("[x]; y", "\ufeff", " -continued", "a : b"),
    fc.string({ maxLength: 12 }),
  );
  const part = fc
    .tuple(section, fc.array(fc.oneof({ arbitrary: property, weight: 6 }, noise), { maxLength: 4 }))
    .map(([header, lines]) => [header, ...lines]);
  const ini = fc
    .tuple(fc.array(part, { maxLength: 4 }), fc.constantFrom("\n", "\r\n"))
    .map(([parts, end]) => parts.flat().join(end));
  const profile = fc.constantFrom("default", "prod", "my dev");

  test("whatever is accepted gives the same profile", async () => {
    const home = makeHome({ config: "", credentials: "" });
    let accepted = 0;
    let tried = 0;
    await fc.assert(
      fc.asyncProperty(ini, ini, profile, async (config, credentials, name) => {
        writeFileSync(home.config, config);
        writeFileSync(home.credentials, credentials);
        tried++;
        const read = readProfile(name, {}, home.system());
        if (read.problem) return;
        accepted++;
        const theirs = await parseKnownFiles({
          filepath: home.credentials,
          configFilepath: home.config,
          ignoreCache: true,
        });
        expect(read.profile).toEqual((Object.hasOwn(theirs, name) ? theirs[name] : undefined) ?? {});
      }),
      { numRuns: 200 },
    );
    expect(accepted / tried).toBeGreaterThan(0.2);
  });

  test("a setting in the section of the profile is never lost without a complaint", async () => {
    const home = makeHome();
    // A reader of the format as all AWS tools share it, without anything the loader does in its own way.
    const meant = (text: string, name: string): boolean => {
      let inside = false;
      for (const raw of text.split(/\r?\n/)) {
        const header = /^\s*\[\s*(?:profile\s+)?(["']?)(.*?)\s*\1\s*\]/.exec(raw);
        if (header) inside = header[2]?.trim() === name && (name === "default" || /^\s*\[\s*profile\s/.test(raw));
        else if (inside && /^imds_guard_mode\s*=\s*deny\s*$/.test(raw)) return true;
      }
      return false;
    };
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.oneof(
            section,
            fc.constantFrom("imds_guard_mode = deny", "region = x", "s3 =", "  a = b", "# c", "[x]; y"),
          ),
          { maxLength: 10 },
        ),
        profile,
        async (lines, name) => {
          const config = lines.join("\n");
          if (!meant(config, name)) return;
          writeFileSync(home.config, config);
          const read = readProfile(name, {}, home.system());
          expect(read.problem !== undefined || read.profile["imds_guard_mode"] === "deny").toBe(true);
        },
      ),
      { numRuns: 600 },
    );
  });

  test("whatever bytes there are, the answer is a sentence or none", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          fc.string({ unit: "binary" }).map(Buffer.from),
          ini.map(Buffer.from),
        ),
        (bytes) => {
          const said = complaintAbout(Buffer.from(bytes), "config", "default");
          expect(said === undefined || /^(it|line \d+) [\x20-\x7e]+$/.test(said)).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  });
});
