/** Reading SMBIOS strings from what `sysctl hw` prints. */
import { describe, expect, test } from "vitest";
import { parseSysctl, readOpenbsdSysctl } from "../../src/host/openbsd-sysctl.js";
import { fakeHost, type RunLog, sysctlOutput } from "./fake-host.js";
import { fc } from "../support/properties.js";

describe("parseSysctl", () => {
  test.each([
    ["a string with spaces", "hw.vendor=Amazon EC2\n", ["Amazon EC2"]],
    ["an equals sign inside", "hw.vendor=a=b\n", ["a=b"]],
    ["empty", "hw.vendor=\n", [""]],
    ["another tree", "machdep.hw.vendor=Xen\n", undefined],
    ["another separator", "hw.vendor: Xen\n", undefined],
    ["two values", "hw.vendor=A\nhw.vendor=B\n", ["A", "B"]],
  ])("%s", (_what, stdout, expected) => {
    expect(parseSysctl(stdout).get("hw.vendor")).toEqual(expected);
  });

  test("gives back what was printed", () => {
    const reserved = ["hw.machine", "hw.model", "hw.disknames", "hw.perfpolicy"];
    const name = fc.stringMatching(/^hw\.[a-z]{1,12}$/).filter((key) => !reserved.includes(key));
    const pair = fc.tuple(name, fc.stringMatching(/^[ -~]{0,60}$/));
    fc.assert(
      fc.property(fc.uniqueArray(pair, { selector: ([key]) => key }), (pairs) => {
        const parsed = parseSysctl(sysctlOutput(pairs));
        for (const [key, text] of pairs) expect(parsed.get(key)).toEqual([text]);
        expect(parsed.size).toBe(pairs.length + reserved.length);
      }),
    );
  });

  test("survives arbitrary bytes", () => {
    const noise = fc.array(fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("hw.vendor=", "\n", "hw.")));
    fc.assert(fc.property(noise, (parts) => void parseSysctl(parts.join(""))));
  });
});

describe("readOpenbsdSysctl", () => {
  test("runs one child process; a UUID that is not listed may be forbidden, a vendor is absent", async () => {
    const log: RunLog = [];
    const facts = await readOpenbsdSysctl(
      fakeHost({ platform: "openbsd", files: { "sysctl/hw.product": "t4g.nano" } }, log),
    );
    expect(log).toEqual(["/sbin/sysctl hw"]);
    expect(facts.productName).toMatchObject({ status: "present", value: "t4g.nano" });
    expect(facts.sysVendor).toMatchObject({ status: "absent" });
    expect(facts.productUuid).toMatchObject({ status: "unreadable", why: "not listed" });
  });

  test("calls everything unreadable when the command fails", async () => {
    const system = fakeHost({ platform: "openbsd", files: {} });
    const facts = await readOpenbsdSysctl({
      ...system,
      run: () => Promise.resolve({ kind: "failed", reason: "ETIMEDOUT" }),
    });
    for (const fact of Object.values(facts))
      expect(fact).toMatchObject({ status: "unreadable", why: "sysctl: ETIMEDOUT" });
  });
});
