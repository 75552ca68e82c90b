/** Users and groups: what the files of a host say, and when `getent` is asked beyond them. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { readAccounts } from "../../src/gateway/accounts.js";

let etc = "";
beforeEach(() => {
  etc = mkdtempSync(join(tmpdir(), "imds-guard-etc-"));
  // Nobody but a stand-in is asked.
  vi.stubEnv("PATH", etc);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(etc, { recursive: true });
});

const file = (name: string, ...lines: readonly string[]): void =>
  writeFileSync(join(etc, name), lines.map((line) => `${line}\n`).join(""));

describe("the files", () => {
  it("name users, the first of a name or number first, and nobody in a line that is none", () => {
    file(
      "passwd",
      "root:x:0:0:root:/root:/bin/bash",
      "web:x:1500:1501:Web:/home/web:/bin/bash",
      "again:x:1500:1502::/:/bin/bash",
      "web:x:1600:1600::/:/bin/bash",
      "  late:x:1700:1700::/:/bin/bash",
      "nouid:x::1:::",
      "nogid:x:5::::",
      "hex:x:0x6:1:::",
      "tail:x:6x:1:::",
      "head:x:x6:1:::",
      "gidtail:x:8:8x:::",
      "gidhead:x:9:x9:::",
      ":x:7:7:::",
      "+",
      "",
    );
    const { uidOf, userName } = readAccounts(etc);
    const names = ["root", "web", "again", "late", "nouid", "nogid", "hex", "tail", "head", "gidtail", "gidhead", "+"];
    expect(names.map(uidOf)).toEqual([0, 1_500, 1_500, 1_700, ...Array.from({ length: 8 }, () => undefined)]);
    expect([0, 1_500, 1_600, 1_700, 5, 6, 7, 8, 9].map(userName)).toEqual([
      "root",
      "web",
      "web",
      "late",
      ...Array.from({ length: 5 }, () => undefined),
    ]);
  });

  it("name groups and their members", () => {
    file("passwd", "web:x:1500:1501::/:/bin/sh", "x:x:1600:1600::/:/bin/sh");
    file(
      "group",
      "first:x:900:web",
      "middle:x:901:batch,web,other\r",
      "last:x:902:batch,web\r",
      "own:x:1501:web",
      "like:x:903:website,aweb",
      "first:x:904:",
      "none:x::web",
      "odd:x:9x:web",
      "odd2:x:x9:web",
      ":x:905:web",
      "  late:x:906:x",
    );
    const { groupsOf, gidOf } = readAccounts(etc);
    expect(groupsOf(1_500)).toEqual([1_501, 900, 901, 902]);
    expect(groupsOf(1_600)).toEqual([1_600, 906]);
    expect(groupsOf(7)).toEqual([]);
    expect(["first", "own", "late", "none", "odd", "odd2", ""].map(gidOf)).toEqual([
      900,
      1_501,
      906,
      ...Array.from({ length: 4 }, () => undefined),
    ]);
  });

  it.each([
    [1_000, []],
    [500, ["UID_MIN 500"]],
    [500, ["# UID_MIN 7", "SYS_UID_MIN 100", " \tUID_MIN\t\t500", "UID_MIN 600"]],
    [1_000, ["UID_MIN", "UID_MINIMUM 5", "UID_MIN5", "UID_MIN x 5"]],
  ])("have ordinary users begin at %i by %j", (uidMin, lines) => {
    file("login.defs", ...lines);
    expect(readAccounts(etc).uidMin).toBe(uidMin);
  });

  it("tell people from those who have no shell, and from the system's", () => {
    const of = (name: string, uid: number, shell = "/bin/sh"): string => `${name}:x:${uid}:1::/:${shell}`;
    file(
      "passwd",
      of("below", 999),
      of("least", 1_000),
      of("most", 59_999),
      of("above", 60_000),
      of("nologin", 1_001, "/usr/sbin/nologin\r"),
      of("false", 1_002, "/bin/false"),
      of("falsely", 1_003, "/bin/falsely"),
      of("shellless", 1_004, ""),
      of("nologinsh", 1_005, "/bin/nologin.sh"),
    );
    expect(readAccounts(etc).people).toEqual(["least", "most", "falsely", "shellless", "nologinsh"]);
  });

  it("are all optional", () => {
    const { uidMin, people, groupsOf, userName, uidOf, gidOf } = readAccounts(join(etc, "none"));
    expect([uidMin, people, groupsOf(0), userName(0), uidOf("root"), gidOf("root")]).toEqual([
      1_000,
      [],
      [],
      undefined,
      undefined,
      undefined,
    ]);
  });

  it("are remembered to a bound", () => {
    const count = 65_537;
    file("passwd", ...Array.from({ length: count }, (_, index) => `u${index}:x:${index}:1:::`));
    const { userName, uidOf } = readAccounts(etc);
    expect([userName(count - 2), uidOf(`u${count - 2}`)]).toEqual([`u${count - 2}`, count - 2]);
    expect([userName(count - 1), uidOf(`u${count - 1}`)]).toEqual([undefined, undefined]);
  });
});

describe.skipIf(process.platform === "win32")("getent", () => {
  const asked = (): string => readFileSync(join(etc, "asked"), "utf8");
  beforeEach(() => {
    file("asked");
    file("passwd", "web:x:1500:1500::/:/bin/sh");
    file("group", "web:x:1500:", "ops:x:900:ldap,web");
    writeFileSync(
      join(etc, "getent"),
      `#!/bin/sh
printf '%s\\n' "$*" >> '${join(etc, "asked")}'
case "$*" in
"passwd ldap" | "passwd 2000") echo "ldap:x:2000:2001::/:/bin/sh" ;;
"passwd a.b@c-d_e+f") echo "odd:x:2002:2002::/:/bin/sh" ;;
"group staff") echo "staff:x:3000:ldap" ;;
"passwd failing") echo "failing:x:2003:2003::/:/bin/sh"; exit 1 ;;
*) exit 2 ;;
esac
`,
      { mode: 0o755 },
    );
  });

  it("is asked once for whom the files do not have, by name or by number", () => {
    const { uidOf, gidOf, userName, groupsOf } = readAccounts(etc);
    expect([uidOf("web"), gidOf("ops"), userName(1_500)]).toEqual([1_500, 900, "web"]);
    expect(asked()).toBe("");
    expect([uidOf("ldap"), userName(2_000), uidOf("ldap"), groupsOf(2_000)]).toEqual([
      2_000,
      "ldap",
      2_000,
      [2_001, 900],
    ]);
    expect([gidOf("staff"), gidOf("staff")]).toEqual([3_000, 3_000]);
    expect([uidOf("gone"), uidOf("gone"), gidOf("gone"), userName(7), groupsOf(7)]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      [],
    ]);
    expect([uidOf("failing"), uidOf("a.b@c-d_e+f")]).toEqual([undefined, 2_002]);
    expect(asked()).toBe(
      "passwd ldap\ngroup staff\npasswd gone\ngroup gone\npasswd 7\npasswd failing\npasswd a.b@c-d_e+f\n",
    );
    expect(readAccounts(etc).userName(2_000)).toBe("ldap");
  });

  it.each(["", "-s", "--version", "a b", "a/b", "a:b", "a\n", "$x", "ä"])("is not asked for %j", (name) => {
    const { uidOf, gidOf } = readAccounts(etc);
    expect([uidOf(name), gidOf(name)]).toEqual([undefined, undefined]);
    expect(asked()).toBe("");
  });
});
