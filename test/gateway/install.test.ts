/** How the packet filter's programs are called, and what follows from what they say. Programs of this host are not run. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { describePlan, filterProgram, install, installed, uninstall } from "../../src/gateway/install.js";
import { iptablesCalls, iptablesRemoval, NFT_REMOVAL, nftRules } from "../../src/gateway/packet-filter.js";
import { readState } from "../../src/gateway/state.js";

const PLAN = { uid: 123, user: "imds-guard", port: 9_100, bridges: ["docker0"] };
const NFT = ["nft"];
const IPTABLES = ["iptables", "ip6tables", "iptables-restore", "ip6tables-restore"];
const isRoot = process.getuid?.() === 0;

let folder = "";
let stateFile = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "imds-guard-filter-"));
  stateFile = join(folder, "run", "gateway.json");
  mkdirSync(join(folder, "bin"));
  writeFileSync(join(folder, "calls"), "");
  failing();
  vi.stubEnv("PATH", join(folder, "bin"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

/** Stand-ins that note how they are called and what they are given. */
function programs(...names: readonly string[]): void {
  for (const name of names)
    writeFileSync(
      join(folder, "bin", name),
      `#!/bin/sh
call="\${0##*/} $*"
printf '%s\\n' "$call" >> '${folder}/calls'
while IFS= read -r line; do printf '  %s\\n' "$line"; done >> '${folder}/calls'
while IFS= read -r pattern; do
  case "$call" in $pattern) printf '%s\\nmore\\n' "$pattern fails" >&2; exit 4;; esac
done < '${folder}/failing'
`,
      { mode: 0o755 },
    );
}

/** Calls that begin like one of these fail. */
function failing(...calls: readonly string[]): void {
  writeFileSync(join(folder, "failing"), calls.map((call) => `${call.replaceAll(" ", "\\ ")}*\n`).join(""));
}

/** All calls so far, each with its input behind it. */
function calls(): readonly string[] {
  const text = readFileSync(join(folder, "calls"), "utf8");
  writeFileSync(join(folder, "calls"), "");
  return text.split("\n").filter((line) => line !== "" && !/^\S+ --version$/.test(line));
}
const withInput = (call: string, input: string): string[] => [
  call,
  ...input
    .trimEnd()
    .split("\n")
    .map((line) => `  ${line}`),
];
const REMOVED = iptablesRemoval().map((words) => words.join(" "));

describe.skipIf(process.platform === "win32")("the packet filter", () => {
  it.each([
    [undefined, []],
    ["iptables", IPTABLES],
    ["nft", [...NFT, ...IPTABLES]],
    ["nft", NFT],
  ])("is %s where there is %j", (expected, there) => {
    programs(...there);
    expect(filterProgram()).toBe(expected);
  });

  it("is described as a shell would be given it", () => {
    expect(describePlan(PLAN, "nft")).toBe(`nft -f - <<'RULES'\n${nftRules(PLAN)}RULES`);
    const [six, , , four] = iptablesCalls(PLAN);
    const jumps = (program: string): string =>
      ["PREROUTING", "OUTPUT"]
        .map((chain) => {
          const rest = `-j IMDS_GUARD_${chain}`;
          return `${program} -w -t nat -C ${chain} ${rest} || ${program} -w -t nat -I ${chain} 1 ${rest}`;
        })
        .join("\n");
    expect(describePlan(PLAN, "iptables")).toBe(
      `ip6tables-restore --noflush -w <<'RULES'\n${six?.input}RULES\n${jumps("ip6tables")}\n` +
        `iptables-restore --noflush -w <<'RULES'\n${four?.input}RULES\n${jumps("iptables")}`,
    );
  });

  it("is nowhere, so that nothing can be put in place, and nothing is", () => {
    expect(() => install(PLAN, stateFile)).toThrow(
      expect.objectContaining({
        name: "FilterError",
        code: "ERR_GATEWAY_FILTER",
        message: "neither nft nor iptables is installed",
        hint: "install nftables with the package manager of this host",
      }),
    );
    expect(installed()).toBe("no");
    uninstall(stateFile);
  });

  it("is given its rules by nft at once", () => {
    programs(...NFT, ...IPTABLES);
    const state = { ...PLAN, by: "nft" };
    expect(install(PLAN, stateFile)).toEqual(state);
    expect(calls()).toEqual(withInput("nft -f -", nftRules(PLAN)));
    expect(JSON.parse(readFileSync(stateFile, "utf8"))).toEqual(state);
    expect(installed()).toBe("yes");
    expect(calls()).toEqual(["nft list table inet imds_guard_gateway"]);
    uninstall(stateFile);
    expect(calls()).toEqual(withInput("nft -f -", NFT_REMOVAL));
    expect(() => readFileSync(stateFile)).toThrow("ENOENT");
  });

  it.each([
    [0, "look at what else uses the nat table of this host; nothing was changed"],
    [1_000, "run it as root: rules need CAP_NET_ADMIN"],
  ])("that refuses is told of to user %i with what to do", (uid, hint) => {
    vi.spyOn(process, "geteuid").mockReturnValue(uid);
    programs(...NFT);
    failing("nft -f");
    const refused = expect.objectContaining({
      name: "FilterError",
      message: "nft refused the rules: nft\\ -f* fails",
      hint,
    });
    expect(() => install(PLAN, stateFile)).toThrow(refused);
    expect(() => uninstall(stateFile)).toThrow(refused);
    expect(() => readFileSync(stateFile)).toThrow("ENOENT");
  });

  it("that refuses without a word is told of by its exit code", () => {
    programs(...NFT);
    writeFileSync(
      join(folder, "bin", "nft"),
      '#!/bin/sh\nwhile read -r line; do :; done\n[ "$1" = --version ] || exit 7\n',
    );
    expect(() => install(PLAN, stateFile)).toThrow("nft refused the rules: exit code 7");
  });

  const [JUMP_6, JUMP_4] = ["ip6tables", "iptables"].map((program) =>
    ["PREROUTING", "OUTPUT"].map((chain) => ({
      there: `${program} -w -t nat -C ${chain} -j IMDS_GUARD_${chain}`,
      put: `${program} -w -t nat -I ${chain} 1 -j IMDS_GUARD_${chain}`,
    })),
  );
  const filled = (program: "ip6tables" | "iptables"): string[] =>
    withInput(`${program}-restore --noflush -w`, iptablesCalls(PLAN)[program === "iptables" ? 3 : 0]?.input ?? "");

  it("is given its rules by iptables one after the other, without those that are there", () => {
    programs(...IPTABLES);
    failing("iptables -w -t nat -C", "ip6tables -w -t nat -C OUTPUT");
    expect(install(PLAN, stateFile)).toEqual({ ...PLAN, by: "iptables" });
    expect(calls()).toEqual([
      ...filled("ip6tables"),
      JUMP_6![0]!.there,
      JUMP_6![1]!.there,
      JUMP_6![1]!.put,
      ...filled("iptables"),
      ...JUMP_4!.flatMap(({ there, put }) => [there, put]),
    ]);
  });

  it("of a kernel without IPv6 is led for IPv4 alone", () => {
    programs(...IPTABLES);
    failing("ip6tables", "iptables -w -t nat -C");
    writeFileSync(join(folder, "failing"), `${readFileSync(join(folder, "failing"), "utf8")}ip6tables-restore*\n`);
    install(PLAN, stateFile);
    const asked = "ip6tables -w -t nat -L OUTPUT";
    expect(calls()).toEqual([
      ...filled("ip6tables"),
      asked,
      ...JUMP_6!.flatMap(({ there, put }) => [there, put, asked]),
      ...filled("iptables"),
      ...JUMP_4!.flatMap(({ there, put }) => [there, put]),
    ]);
    // And so it is in place; where IPv6 is there and does not lead, it is not.
    failing("ip6tables");
    expect(installed()).toBe("yes");
    failing("ip6tables -w -t nat -C");
    expect(installed()).toBe("no");
    failing("iptables -w -t nat -C");
    expect(installed()).toBe("no");
    calls();
    failing();
    expect(installed()).toBe("yes");
    expect(calls()).toEqual([JUMP_4![1]!.there, JUMP_6![1]!.there]);
  });

  it("of a host without ip6tables is led for IPv4 alone", () => {
    programs("iptables", "iptables-restore");
    expect(install(PLAN, stateFile)).toMatchObject({ by: "iptables" });
    expect(installed()).toBe("yes");
  });

  it("is left as it was where iptables refuses in the midst of a first installation", () => {
    programs(...IPTABLES);
    failing("iptables -w -t nat -C OUTPUT", "iptables -w -t nat -I OUTPUT");
    expect(() => install(PLAN, stateFile)).toThrow(
      "iptables refused the rules: iptables\\ -w\\ -t\\ nat\\ -I\\ OUTPUT* fails",
    );
    expect(calls().slice(-REMOVED.length)).toEqual(REMOVED);
    failing("ip6tables-restore");
    expect(() => install(PLAN, stateFile)).toThrow("ip6tables-restore refused the rules: ip6tables-restore* fails");
    expect(readState(stateFile)).toBeUndefined();
  });

  it.skipIf(!isRoot)("keeps the rules that were there where iptables refuses others", () => {
    programs(...IPTABLES);
    install(PLAN, stateFile);
    calls();
    failing("iptables-restore");
    expect(() => install({ ...PLAN, port: 1 }, stateFile)).toThrow("iptables-restore refused the rules");
    expect(calls().filter((call) => REMOVED.includes(call))).toEqual([]);
    expect(readState(stateFile)).toMatchObject({ port: 9_100 });
  });

  it("is cleared by iptables whatever is missing of it", () => {
    vi.spyOn(process, "geteuid").mockReturnValue(0);
    programs(...IPTABLES);
    failing("iptables -w -t nat -D", "ip6tables");
    uninstall(stateFile);
    expect(calls()).toEqual(REMOVED);
  });

  it.skipIf(!isRoot)("is cleared by the program that filled it, too", () => {
    programs(...IPTABLES);
    install(PLAN, stateFile);
    programs(...NFT);
    calls();
    uninstall(stateFile);
    expect(calls()).toEqual([...withInput("nft -f -", NFT_REMOVAL), ...REMOVED]);
    programs(...NFT);
    uninstall(stateFile);
    expect(calls()).toEqual(withInput("nft -f -", NFT_REMOVAL));
  });

  it("is not told to be cleared by iptables to who may not ask it", () => {
    vi.spyOn(process, "geteuid").mockReturnValue(1_000);
    programs(...IPTABLES);
    uninstall(stateFile);
    expect(calls()).toEqual(["iptables -w -t nat -L OUTPUT", ...REMOVED]);
    failing("iptables -w -t nat -L");
    expect(() => uninstall(stateFile)).toThrow(
      expect.objectContaining({
        message: "iptables cannot be asked",
        hint: "run it as root: rules need CAP_NET_ADMIN",
      }),
    );
    expect(calls()).toEqual(["iptables -w -t nat -L OUTPUT"]);
  });

  it.each([
    [1_000, "Operation not permitted", "unknown"],
    [1_000, "Permission denied (you must be root)", "unknown"],
    [1_000, "must be run as ROOT", "unknown"],
    [1_000, "No such file or directory", "no"],
    [0, "Operation not permitted", "no"],
  ] as const)("asked by user %i answers %j: %s", (uid, says, expected) => {
    vi.spyOn(process, "geteuid").mockReturnValue(uid);
    writeFileSync(join(folder, "bin", "nft"), `#!/bin/sh\n[ "$1" = --version ] || { echo "${says}" >&2; exit 1; }\n`, {
      mode: 0o755,
    });
    expect(installed()).toBe(expected);
  });
});
