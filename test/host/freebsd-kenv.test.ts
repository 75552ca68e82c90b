/** Reading SMBIOS strings from what `kenv` prints. */
import { describe, expect, test } from "vitest";
import { parseKenv, readFreebsdKenv } from "../../src/host/freebsd-kenv.js";
import { fakeHost, kenvOutput, type RunLog } from "./fake-host.js";
import { fc } from "../support/properties.js";

describe("parseKenv", () => {
  test.each([
    ["a string with spaces", 'smbios.system.maker="Amazon EC2"\n', ["Amazon EC2"]],
    ["quotes inside", 'smbios.system.maker="a "quoted" vendor"\n', ['a "quoted" vendor']],
    ["an equals sign inside", 'smbios.system.maker="a="b"\n', ['a="b']],
    ["empty", 'smbios.system.maker=""\n', [""]],
    ["no quotes", "smbios.system.maker=Xen\n", undefined],
    ["a name that only ends alike", 'xsmbios.system.maker="Xen"\n', undefined],
    ["a comment behind it", 'smbios.system.maker="Amazon EC2" #\n', undefined],
    ["a value cut off", 'smbios.system.maker="Amazon EC', undefined],
    ["two values", 'smbios.system.maker="A"\nsmbios.system.maker="B"\n', ["A", "B"]],
  ])("%s", (_what, stdout, expected) => {
    expect(parseKenv(stdout).get("smbios.system.maker")).toEqual(expected);
  });

  test("gives back what was printed", () => {
    const name = fc.stringMatching(/^smbios\.[a-z0-9]{1,8}\.[a-z]{1,8}$/);
    const pair = fc.tuple(name, fc.stringMatching(/^[ -~]{0,60}$/));
    fc.assert(
      fc.property(fc.uniqueArray(pair, { selector: ([key]) => key }), (pairs) => {
        expect([...parseKenv(kenvOutput(pairs))]).toEqual(pairs.map(([key, text]) => [key, [text]]));
      }),
    );
  });

  test("survives arbitrary bytes", () => {
    const noise = fc.array(
      fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom('smbios.system.maker="', '"\n', "smbios.")),
    );
    fc.assert(fc.property(noise, (parts) => void parseKenv(parts.join(""))));
  });
});

describe("readFreebsdKenv", () => {
  test("runs one child process and reads all fields", async () => {
    const log: RunLog = [];
    const files = { "kenv/smbios.system.maker": "Amazon EC2", "kenv/smbios.planar.tag": "i-0942732c100023582" };
    const facts = await readFreebsdKenv(fakeHost({ platform: "freebsd", files }, log));
    expect(log).toEqual(["/bin/kenv"]);
    expect(facts.sysVendor).toMatchObject({
      kind: "kenv",
      source: "smbios.system.maker",
      status: "present",
      value: "Amazon EC2",
    });
    expect(facts.boardAssetTag).toMatchObject({ status: "present", value: "i-0942732c100023582" });
    expect(facts.biosVendor).toMatchObject({ status: "absent" });
  });

  test("calls everything unreadable when the command fails", async () => {
    const system = fakeHost({ platform: "freebsd", files: {} });
    const facts = await readFreebsdKenv({
      ...system,
      run: () => Promise.resolve({ kind: "failed", reason: "ENOENT" }),
    });
    for (const fact of Object.values(facts)) expect(fact).toMatchObject({ status: "unreadable", why: "kenv: ENOENT" });
  });
});
