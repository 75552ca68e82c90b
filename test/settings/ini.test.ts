/** The lines of shared config files, read as the AWS SDK reads them, and told where that is not what was meant. */
import { describe, expect, test } from "vitest";
import {
  complaintAbout,
  complaintAboutNames,
  parseIni,
  sectionAsMeant,
  sectionAsRead,
} from "../../src/settings/ini.js";
import type { FileKind } from "../../src/settings/locations.js";

describe("the sections of a file", () => {
  const read = (text: string, kind: FileKind = "config"): object[] =>
    parseIni(text, kind).map(({ profile, prefixed, entries }) => ({
      [prefixed ? `profile ${profile}` : profile]: entries.map(({ key, value }) => `${key}=${value}`),
    }));

  test.each<[string, string, object[]]>([
    ["nothing", "", []],
    ["lines before any", "a = b\n\n[default]\n", [{ default: [] }]],
    [
      "one of each form",
      "[default]\n[profile a]\n[profile.b]\n",
      [{ default: [] }, { "profile a": [] }, { "profile b": [] }],
    ],
    ["the same one twice", "[default]\na = 1\n[default]\na = 2\n", [{ default: ["a=1"] }, { default: ["a=2"] }]],
    ["one that is no profile, which ends the one before", "[default]\n[services x]\na = 1\n", [{ default: [] }]],
    ["one without a name", "[default]\n[profile.]\na = 1\n", [{ default: [] }]],
    ["one that is not closed, which is none", "[default]\n[profile a\na = 1\n", [{ default: ["a=1"] }]],
    ["one that is not opened, which is none", "[default]\nprofile a]\na = 1\n", [{ default: ["a=1"] }]],
    ["half of one", "[default]\n[\n]\na = 1\n", [{ default: ["a=1"] }]],
    ["one with a comment and white space", "\t[default] ; mine\r\n  a = 1 # b\r\n", [{ default: ["a=1"] }]],
    ["a comment sign within a word", "[default]\na = 1;2#3\n", [{ default: ["a=1;2#3"] }]],
    ["a value with equals signs", "[default]\na=b=c = d\n", [{ default: ["a=b=c = d"] }]],
    ["a line without a name or without an equals sign", "[default]\n= 1\nnothing\na = 1\n", [{ default: ["a=1"] }]],
    [
      "a block",
      "[default]\ns3 =\n  a = 1\n\tb = 2\nc = 3\n  d = 4\n",
      [{ default: ["s3=", "s3.a=1", "s3.b=2", "c=3", "d=4"] }],
    ],
    ["a block in a block", "[default]\ns3 =\n  a =\n  b = 2\n", [{ default: ["s3=", "a=", "a.b=2"] }]],
    [
      "a block that a section ends",
      "[default]\ns3 =\n[profile a]\n  b = 2\n",
      [{ default: ["s3="] }, { "profile a": ["b=2"] }],
    ],
  ])("%s", (_, text, sections) => {
    expect(read(text)).toEqual(sections);
  });

  test("of a credentials file are profiles by their whole name", () => {
    expect(read("[default]\n[a b c]\n[]\nx = 1\n[profile a]\nx = 2\n[profile.b]\n", "credentials")).toEqual([
      { default: [] },
      { "a b c": [] },
      { "profile.b": [] },
    ]);
  });
});

test.each<[string, string | undefined, string | undefined, string | undefined]>([
  // section, in config as read and as meant, in credentials as read
  ["default", "default", "default", "default"],
  ["profile a", "a", "a", undefined],
  ["profile\ta", "a", "a", undefined],
  ['profile "a"', "a", "a", undefined],
  ["profile 'a'", "a", "a", undefined],
  ["profile 'a\"", undefined, "'a\"", "profile 'a\""],
  ["profile a-b_c@d+e.f%g:h/i", "a-b_c@d+e.f%g:h/i", "a-b_c@d+e.f%g:h/i", undefined],
  ["profile  a", undefined, "a", "profile  a"],
  ["profile a b", undefined, "a b", "profile a b"],
  ["profile.a", "a", undefined, "profile.a"],
  ["a.profile.", undefined, undefined, "a.profile."],
  ["profile", undefined, undefined, "profile"],
  ["profiles a", undefined, undefined, undefined],
  ["my-profile a", undefined, undefined, undefined],
  ["services a", undefined, undefined, undefined],
  ["sso-session a", undefined, undefined, undefined],
  ["a", undefined, undefined, "a"],
  ["", undefined, undefined, ""],
])("[%s] is profile %s, and meant to be %s", (section, read, meant, inCredentials) => {
  expect(sectionAsRead(section, "config")).toBe(read);
  expect(sectionAsMeant(section, "config")).toBe(meant);
  expect(sectionAsRead(section, "credentials")).toBe(inCredentials);
});

test.each([
  ["a", "a"],
  [" a ", "a"],
  ['"a"', "a"],
  ["' a '", "a"],
  ["\u200ba\ufeff", "a"],
  ['"', '"'],
  ['"a', '"a'],
  ['a"', 'a"'],
  ["\"a'", "\"a'"],
  ["aba", "aba"],
  ["", ""],
])("[%s] of a credentials file is meant to be profile %s", (section, profile) => {
  expect(sectionAsMeant(section, "credentials")).toBe(profile);
});

describe("a complaint", () => {
  const complaint = (text: string, kind: FileKind = "config", profile = "default"): string | undefined =>
    complaintAbout(Buffer.from(text), kind, profile);
  const NEITHER = 'is neither a section nor "name = value"';

  test.each<[string, string | undefined]>([
    ["[default]\na = b\n  continued\n", undefined],
    ["[default]\n  a = b\n  continued\n", undefined],
    ["[default]\na = b\nhello world\n", `line 3 ${NEITHER}`],
    ["[default]\na = b\n[profile x]\n  nothing\n", `line 4 ${NEITHER}`],
    ["[default]\ns3 =\nhello world\n", `line 3 ${NEITHER}`],
    ["[default]\ns3 =\nb = c\n  continued\n", undefined],
    ["[default]\ns3 =\n  a = b\n  c =\n  nothing\n", `line 5 ${NEITHER}`],
    ["[default]\na\n", `line 2 ${NEITHER}`],
    ["a = b\n", "line 1 stands before the first section"],
    ["  a = b\n", "line 1 stands before the first section"],
    ["[default]\n\fa = b\v\n", undefined],
    [
      "[default]\na = b\vc\n",
      "line 2 has a line end within (U+000B) that the AWS SDK for JavaScript does not take for one",
    ],
    [
      "[default]\na = b\u2028c\n",
      "line 2 has a line end within (U+2028) that the AWS SDK for JavaScript does not take for one",
    ],
    ["\n[profile\u2029a\n", "line 2 begins a section and does not close it: it goes on behind U+2029"],
    ["[profile\fa]\n", "line 1 begins a section and does not close it: it goes on behind U+000C"],
    [
      "\n[default] # a\n[default]# a\n",
      "line 3 has a comment right behind a section; a space has to stand between them",
    ],
    ["[default];a\n", "line 1 has a comment right behind a section; a space has to stand between them"],
  ])("about %j is %j", (text, expected) => {
    expect(complaint(text)).toBe(expected);
  });

  test.each<[string, FileKind, string, string | undefined]>([
    ["[profile  a]", "config", "a", "[profile a]"],
    ["[ default ]", "config", "default", "[default]"],
    ["[ a ]", "credentials", "a", "[a]"],
    ["[ default ]", "credentials", "default", "[default]"],
    ["[profile a]", "config", "a", undefined],
    ["[profile  a]", "config", "b", undefined],
  ])("about %s of the %s file where profile %s is asked for names the form %s", (section, kind, profile, form) => {
    expect(complaint(section, kind, profile)).toBe(
      form === undefined
        ? undefined
        : `line 1 means profile "${profile}" in a form that the AWS SDK for JavaScript passes over; it reads "${form}"`,
    );
  });

  test.each<[string, FileKind, string | undefined]>([
    ["", "config", undefined],
    ["no file of settings\n[x\n", "config", undefined],
    ["[default]\n\n[profile __proto__] # a\n", "config", 'line 3 names a profile "__proto__"'],
    ["[__proto__]\n", "config", 'line 1 names a profile "__proto__"'],
    ["[profile.valueOf]\n", "config", 'line 1 names a profile "valueOf"'],
    ["[services toString]\n", "config", undefined],
    ["[x]\r\n[toString]\r\n", "credentials", 'line 2 names a profile "toString"'],
    ["[profile toString]\n", "credentials", undefined],
    ["constructor = x\n# [constructor]\n", "config", undefined],
  ])("about the names in %j of the %s file is %j", (text, kind, expected) => {
    const said = expected === undefined ? undefined : `${expected}, which the AWS SDK cannot hold`;
    expect(complaintAboutNames(text, kind)).toBe(said);
  });
});
