/** Where the files of settings are, and what they speak of. */
import { homedir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  adviceToAllow,
  locate,
  locationOf,
  mentions,
  mentionsGuard,
  namesGuard,
  withoutInvisible,
} from "../../src/settings/locations.js";

type Env = Readonly<Record<string, string>>;

test.each<[Env, string | undefined, string, boolean]>([
  [{ HOME: "/home/a" }, undefined, "/home/a/.aws/config", false],
  [{ HOME: "/home/a", AWS_CONFIG_FILE: "" }, undefined, "/home/a/.aws/config", false],
  [{ HOME: "/home/a", AWS_SHARED_CREDENTIALS_FILE: "/x" }, undefined, "/home/a/.aws/config", false],
  [{ HOME: "/home/a", AWS_CONFIG_FILE: "/etc/aws" }, undefined, "/etc/aws", true],
  [{ HOME: "/home/a", AWS_CONFIG_FILE: "/etc/aws" }, "/srv/aws", "/srv/aws", true],
  [{ HOME: "/home/a", AWS_CONFIG_FILE: "/etc/aws" }, "", "/home/a/.aws/config", false],
  [{ HOME: "/home/a", AWS_CONFIG_FILE: "~/aws" }, undefined, "/home/a/aws", true],
  [{ HOME: "/home/a" }, "~/aws", "/home/a/aws", true],
  [{ HOME: "/home/a" }, "~b/aws", "~b/aws", true],
  [{ HOME: "/home/a" }, "/x/~/aws", "/x/~/aws", true],
  [{ HOME: "/home/a", USERPROFILE: "/users/a" }, undefined, "/home/a/.aws/config", false],
  [{ HOME: "", USERPROFILE: "/users/a", HOMEPATH: "/path" }, undefined, "/users/a/.aws/config", false],
  [{ USERPROFILE: "", HOMEDRIVE: "/drive", HOMEPATH: "/path" }, undefined, "/drive/path/.aws/config", false],
  [{ HOMEPATH: "/path" }, undefined, join("C:/path/.aws/config"), false],
  [{ HOMEDRIVE: "/drive", HOMEPATH: "" }, undefined, join(homedir(), ".aws/config"), false],
  [{}, "~/aws", join(homedir(), "aws"), true],
])("in %j and by %j the config file is %s", (env, given, path, named) => {
  expect(locationOf("config", { env }, given)).toEqual({ path, named });
  expect(locate("config", { env }, given)).toBe(path);
});

test("the credentials file is found by a variable of its own", () => {
  const env = { HOME: "/home/a", AWS_CONFIG_FILE: "/etc/config", AWS_SHARED_CREDENTIALS_FILE: "/etc/credentials" };
  expect(locate("credentials", { env })).toBe("/etc/credentials");
  expect(locate("credentials", { env: { HOME: "/home/a" } })).toBe("/home/a/.aws/credentials");
});

test.each<[NodeJS.Platform, string]>([
  ["linux", " --allow-fs-read='/sys/class/dmi/id/*'"],
  ["darwin", ""],
])("on %s the advice names every file that is read", (platform, more) => {
  expect(adviceToAllow({ env: { HOME: "/home/a" }, platform })).toBe(
    `Start Node.js with --allow-fs-read=/etc/imds-guard/config --allow-fs-read=/home/a/.aws/config --allow-fs-read=/home/a/.aws/credentials${more}, so that it may read its settings and tell where it runs.`,
  );
});

describe("a file speaks of", () => {
  const NOTHING = { guard: false, imds: false };
  const GUARD = { guard: true, imds: false };
  const IMDS = { guard: false, imds: true };
  const utf16be = (text: string): Buffer => Buffer.from(text, "utf16le").swap16();

  test.each<[string, Buffer, object]>([
    ["nothing", Buffer.alloc(0), NOTHING],
    ["a region", Buffer.from("[default]\r\n\tregion = eu-west-1 ~\n"), NOTHING],
    ["a region in other letters", Buffer.from("[default]\n# \u00fcber\nregion = eu-west-1\n"), NOTHING],
    ["this package", Buffer.from("imds_guard_mode = deny"), GUARD],
    ["this package with a hyphen", Buffer.from("# Imds-Guard"), GUARD],
    ["this package in one word", Buffer.from("IMDSGUARD"), GUARD],
    ["IMDS", Buffer.from("Disable_EC2_Metadata = true"), IMDS],
    ["both", Buffer.from("imds_guard_mode\nec2_metadata"), { guard: true, imds: true }],
    ["this package behind a NUL", Buffer.from("\0imds_guard_mode"), GUARD],
    ["IMDS behind a NUL", Buffer.from("\0ec2_metadata"), IMDS],
    ["this package behind a byte of no text", Buffer.from("\xffimds_guard", "latin1"), GUARD],
    ["this package around a NUL", Buffer.from("imds\0_guard"), GUARD],
    ["this package around a soft hyphen in Latin-1", Buffer.from("imds_\xadguard", "latin1"), GUARD],
    ["this package around a zero-width space", Buffer.from("imds_\u200bguard"), GUARD],
    ["IMDS around a zero-width space", Buffer.from("ec2_\u200bmetadata"), IMDS],
    ["this package in UTF-16", Buffer.from("imds_guard", "utf16le"), GUARD],
    ["this package in the other UTF-16", utf16be("imds_guard"), GUARD],
    ["IMDS in UTF-16", Buffer.from("ec2_metadata", "utf16le"), IMDS],
    ["IMDS in the other UTF-16", utf16be("ec2_metadata"), IMDS],
    ["this package around a zero-width space in UTF-16", Buffer.from("imds_\u200bguard", "utf16le"), GUARD],
    ["this package around a zero-width space in the other UTF-16", utf16be("imds_\u200bguard"), GUARD],
    [
      "this package in the other UTF-16 and a byte more",
      Buffer.concat([utf16be("imds_\u200bguard"), Buffer.of(0)]),
      GUARD,
    ],
    ["this package with a line end within", Buffer.from("imds_\nguard \u00fc"), NOTHING],
    ["this package with a space within", Buffer.from("imds guard \u00fc"), NOTHING],
  ])("%s", (_, bytes, expected) => {
    const before = Buffer.from(bytes);
    expect(mentions(bytes)).toEqual(expected);
    expect(mentionsGuard(bytes)).toBe((expected as typeof NOTHING).guard);
    expect(bytes.equals(before)).toBe(true);
  });
});

test.each([
  ["", ""],
  ["plain ~ text", "plain ~ text"],
  ["\t\n\v\f\r", "\t\n\v\f\r"],
  ["\u00fcber", "\u00fcber"],
  ["a\u200bb\u200bc", "abc"],
  ["\ufeff[default]", "[default]"],
  ["a\0\x1b\x7fb\u00ad", "ab"],
  ["\u00fc\t\n\v\f\r\0", "\u00fc\t\n\v\f\r"],
])("%j without what nobody sees is %j", (text, expected) => {
  expect(withoutInvisible(text)).toBe(expected);
});

test.each([
  ["imds_guard_mode", true],
  ["IMDS-guard", true],
  ["s3.imds_guard_mode", true],
  ["imds_\u200bguard_mode", true],
  ["region", false],
  ["guard_mode", false],
])("the key %j is meant to be one of this package: %s", (key, expected) => {
  expect(namesGuard(key)).toBe(expected);
});
