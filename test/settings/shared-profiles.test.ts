/** When the shared files are looked at, and when they are read again. */
import { execFileSync } from "node:child_process";
import { mkdirSync, renameSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { ProfilesRead, SharedProfiles } from "../../src/settings/shared-profiles.js";
import { createSharedProfiles } from "../../src/settings/shared-profiles.js";
import type { Home } from "./home.js";
import { makeHome } from "./home.js";

const START = 1_800_000_000_000;
const OLD = 60_000;
const text = (value: string, end = "\n"): string => `[default]\na = ${value}${end}`;

interface Watched {
  readonly home: Home;
  readonly files: SharedProfiles;
  /** How often the config file was read. */
  readonly reads: () => number;
  /** Writes the config file, as somebody did `age` milliseconds ago. */
  readonly write: (content: string, age?: number) => void;
  /** Both clocks go on. */
  readonly pass: (milliseconds: number) => void;
  readonly clock: { now: number; monotonic: number };
  /** Called with every reading of the config file. */
  during: () => void;
}

function watch(given?: { readonly config: string; readonly age?: number }): Watched {
  const home = makeHome();
  const clock = { now: START, monotonic: 5_000 };
  const system = home.system();
  let reads = 0;
  const watched: Watched = {
    home,
    clock,
    during: () => undefined,
    reads: () => reads,
    pass(milliseconds) {
      clock.now += milliseconds;
      clock.monotonic += milliseconds;
    },
    write(content, age = OLD) {
      writeFileSync(home.config, content);
      const then = (clock.now - age) / 1_000;
      utimesSync(home.config, then, then);
    },
    files: createSharedProfiles(
      "default",
      {},
      {
        ...system,
        now: () => clock.now,
        monotonic: () => clock.monotonic,
        readFile(path, limit) {
          if (path === home.config) {
            reads += 1;
            watched.during();
          }
          return system.readFile(path, limit);
        },
      },
    ),
  };
  if (given !== undefined) watched.write(given.config, given.age);
  return watched;
}

const valueIn = ({ profiles }: ProfilesRead): string | undefined => profiles?.["default"]?.["a"];

describe("a file that is whole", () => {
  test("is looked at again after a second, by either clock, and at once where that is asked for", () => {
    const passes: readonly [(clock: Watched["clock"]) => void, boolean][] = [
      [(clock) => (clock.monotonic += 999), false],
      [(clock) => (clock.monotonic += 1_000), true],
      // The machine slept.
      [(clock) => (clock.now += 999), false],
      [(clock) => (clock.now += 1_000), true],
      // The clock of the day was set back.
      [(clock) => (clock.now -= 999), false],
      [(clock) => (clock.now -= 1_000), true],
    ];
    for (const [pass, looks] of passes) {
      const { files, write, clock } = watch({ config: text("1") });
      const first = files.look();
      expect([valueIn(first), first.unsettled]).toEqual(["1", false]);
      write(text("2"));
      expect(files.look()).toBe(first);
      pass(clock);
      expect(valueIn(files.look())).toBe(looks ? "2" : "1");
      write(text("3"));
      expect(valueIn(files.look(true))).toBe("3");
    }
  });

  test("is looked at once a second, and not with each call from then on", () => {
    const { files, write, pass } = watch({ config: text("1") });
    files.look();
    pass(1_000);
    files.look();
    write(text("2"));
    pass(999);
    expect(valueIn(files.look())).toBe("1");
    pass(1);
    expect(valueIn(files.look())).toBe("2");
  });

  test("is not read again while it is the same, however it is asked for", () => {
    const { files, reads, pass } = watch({ config: text("1") });
    const first = files.look();
    pass(1_000);
    expect(files.look()).toBe(first);
    expect(files.look(true)).toBe(first);
    expect(reads()).toBe(1);
  });

  test.each<[string, (watched: Watched) => void]>([
    ["longer", ({ write }) => write(text("22"))],
    ["newer", ({ write }) => write(text("2"), OLD - 1_000)],
    [
      "written to, and its time set back",
      ({ write, home }) => {
        const { ctimeMs } = statSync(home.config);
        do write(text("2"));
        while (statSync(home.config).ctimeMs === ctimeMs);
      },
    ],
    [
      "another",
      ({ write, home }) => {
        renameSync(home.config, `${home.config}.old`);
        write(text("2"));
      },
    ],
    ["gone", ({ home }) => rmSync(home.config)],
    [
      "a directory",
      ({ home }) => {
        rmSync(home.config);
        mkdirSync(home.config);
      },
    ],
    [
      "a link to itself",
      ({ home }) => {
        rmSync(home.config);
        symlinkSync(home.config, home.config);
      },
    ],
    ["beside a credentials file", ({ home }) => writeFileSync(home.credentials, "[default]\na = 2\n")],
  ])("is read again where it is %s", (_, change) => {
    const watched = watch({ config: text("1") });
    const first = watched.files.look();
    change(watched);
    watched.pass(1_000);
    const second = watched.files.look();
    expect(second).not.toBe(first);
    expect(valueIn(second)).not.toBe("1");
    // What it is now is what the next look compares it with.
    watched.pass(1_000);
    expect(watched.files.look(true)).toBe(second);
  });

  test("is found where options say, each for itself", () => {
    const home = makeHome({ config: text("1") });
    const system = { ...home.system(), now: () => START, monotonic: () => 0 };
    const other = join(home.directory, "other");
    writeFileSync(other, "[profile x]\na = 2\n[default]\na = 3\n");
    const inConfig = createSharedProfiles("default", { configFilepath: other }, system);
    expect(inConfig.look().profiles).toEqual({ x: { a: "2" }, default: { a: "3" } });
    const inCredentials = createSharedProfiles("default", { filepath: other }, system);
    expect(inCredentials.look().profiles).toEqual({ default: { a: "3" } });
    rmSync(other);
    expect(inConfig.look(true).profiles).toEqual({});
    expect(inCredentials.look(true).profiles).toEqual({ default: { a: "1" } });
  });
});

describe("a file that is being written", () => {
  test.each([
    ["199 ms old", text("1"), 199, true],
    ["200 ms old", text("1"), 200, false],
    ["written this moment", text("1"), 0, true],
    ["of the future", text("1"), -1, false],
    ["without a line end, 999 ms old", text("1", ""), 999, true],
    ["without a line end, a second old", text("1", ""), 1_000, false],
    ["without a line end, of the near future", text("1", ""), -999, true],
    ["without a line end, of the future", text("1", ""), -1_000, false],
  ])("%s", (_, config, age, unsettled) => {
    const { files } = watch({ config, age });
    const read = files.look();
    expect([valueIn(read), read.unsettled]).toEqual(["1", unsettled]);
  });

  test("is read again 200 ms later, though nothing tells that it changed", () => {
    const { files, reads, pass } = watch({ config: text("1"), age: 100 });
    const first = files.look();
    pass(199);
    expect(files.look()).toBe(first);
    pass(1);
    const second = files.look();
    expect(second).toMatchObject({ unsettled: false, profiles: { default: { a: "1" } } });
    expect(second).not.toBe(first);
    pass(200);
    expect(files.look()).toBe(second);
    expect(reads()).toBe(2);
  });

  test("and has no line end is looked at 200 ms later, however old it is", () => {
    const { files, write, pass } = watch({ config: text("1", "") });
    files.look();
    write(text("2"));
    pass(199);
    expect(valueIn(files.look())).toBe("1");
    pass(1);
    expect(valueIn(files.look())).toBe("2");
  });

  test("is left alone until it is 200 ms old, while there is something to serve", () => {
    const { files, reads, write, pass } = watch({ config: text("1") });
    const first = files.look();
    pass(1_000);
    write(text("2"), 150);
    expect(files.look()).toBe(first);
    pass(199);
    expect(files.look()).toBe(first);
    write(text("3"), 0);
    pass(1);
    // Written to once more meanwhile.
    expect(files.look()).toBe(first);
    expect(reads()).toBe(1);
    pass(200);
    expect(files.look()).toMatchObject({ unsettled: false, profiles: { default: { a: "3" } } });
  });

  test("is read all the same where somebody wants what is there now", () => {
    const { files, write } = watch({ config: text("1") });
    files.look();
    write(text("2"), 150);
    expect(files.look(true)).toMatchObject({ unsettled: true, profiles: { default: { a: "2" } } });
  });

  test("at the moment in which it is read is read once more", () => {
    const watched = watch({ config: text("1"), age: 500 });
    watched.during = () => {
      watched.during = () => undefined;
      watched.write(text("22"), 500);
    };
    expect(watched.files.look().unsettled).toBe(true);
    watched.pass(200);
    expect(watched.files.look()).toMatchObject({ unsettled: false, profiles: { default: { a: "22" } } });
  });

  test("beside an old one is the one that counts", () => {
    const watched = watch({ config: text("1"), age: 100 });
    writeFileSync(watched.home.credentials, "[default]\nb = 2\n");
    const then = (START - OLD) / 1_000;
    utimesSync(watched.home.credentials, then, then);
    expect(watched.files.look()).toEqual({ unsettled: true, profiles: { default: { a: "1", b: "2" } } });
  });
});

describe("what is no file", () => {
  test("is nothing where there is none", () => {
    const { files } = watch();
    expect(files.look()).toEqual({ unsettled: false, profiles: {} });
  });

  test("is no profiles where it cannot be used", () => {
    const { files, home } = watch();
    mkdirSync(home.config);
    expect(files.look()).toEqual({ unsettled: false, profiles: undefined });
  });

  test.skipIf(process.platform === "win32")("is read once, whatever its times are, until it is another one", () => {
    const { files, reads, home, pass } = watch();
    execFileSync("mkfifo", [home.config, `${home.config}.new`]);
    const first = files.look();
    const now = START / 1_000;
    utimesSync(home.config, now, now);
    pass(1_000);
    expect(files.look()).toBe(first);
    renameSync(`${home.config}.new`, home.config);
    pass(1_000);
    expect(files.look()).not.toBe(first);
    expect(reads()).toBe(2);
  });
});
