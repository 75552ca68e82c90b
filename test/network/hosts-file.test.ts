import { expect, test } from "vitest";
import * as fc from "fast-check";
import { realSystem } from "../../src/base/system.js";
import { addressesInHostsFile, parseHosts } from "../../src/network/hosts-file.js";

const HOSTS = `# 10.0.0.9 imds
127.0.0.1\tlocalhost
::1 localhost ip6-localhost\r
fd00::2 imds
172.17.0.1   host.docker.internal IMDS. # imds2
10.0.0.1
10.0.0.01 imds
fe80::1%lo0 imds
`;

test.each([
  ["imds", ["172.17.0.1", "fd00::2"]],
  ["IMDS.", ["172.17.0.1", "fd00::2"]],
  ["host.docker.internal", ["172.17.0.1"]],
  ["localhost", ["127.0.0.1", "::1"]],
  ["imds2", []],
  ["docker.internal", []],
])("%s is %j", (name, addresses) => expect(parseHosts(HOSTS, name)).toEqual(addresses));

test("any text gives at most 16 addresses", () => {
  fc.assert(
    fc.property(fc.string(), fc.array(fc.ipV4(), { maxLength: 40 }), (noise, addresses) => {
      const text = `${addresses.map((address) => `${address} a`).join("\n")}\n${noise}`;
      expect(parseHosts(text, "a").length).toBeLessThanOrEqual(16);
      expect(parseHosts(noise, "no.such.name.x").every((address) => noise.includes(address))).toBe(true);
    }),
  );
});

test("the file is that of the operating system", () => {
  const asked: string[] = [];
  const readFile: typeof realSystem.readFile = (path) => (asked.push(path), { kind: "absent" });
  for (const [platform, env] of [
    ["linux", {}],
    ["win32", { SystemRoot: "D:\\WINNT" }],
    ["win32", { SystemRoot: "\\\\elsewhere\\x" }],
  ] as const)
    expect(addressesInHostsFile("a", { ...realSystem, platform, env, readFile })).toEqual([]);
  expect(asked).toEqual([
    "/etc/hosts",
    "D:\\WINNT\\System32\\drivers\\etc\\hosts",
    "C:\\Windows\\System32\\drivers\\etc\\hosts",
  ]);
});
