import { expect, test } from "vitest";
import { detectHost } from "../../src/host/detect.js";
import { isNoEc2Mac } from "../../src/host/macos-model.js";
import { realSystem } from "../../src/base/system.js";

test.each(["MacBookPro18,3", "MacBookAir10,1", "iMac21,1", "iMacPro1,1", "Mac14,2", "Mac15,13", "Mac16,8"])(
  "%s was never at EC2",
  (model) => expect(isNoEc2Mac(model)).toBe(true),
);

/** mac1, mac2, mac2-m2, mac2-m2pro, mac2-m1ultra, mac-m4, mac-m4pro; what may come; a guest of one of them. */
const MAY_BE = ["Macmini8,1", "Macmini9,1", "Mac14,3", "Mac14,12", "Mac13,2", "Mac16,10", "Mac16,11"];

test.each([
  ...MAY_BE,
  "Mac15,14",
  "Mac16,9",
  "Mac99,1",
  "MacPro7,1",
  "VirtualMac2,1",
  "",
  "MacBookPro",
  "XMacBookAir1,1",
])("%j may be", (model) => expect(isNoEc2Mac(model)).toBe(false));

const mac = (run: typeof realSystem.run) => detectHost({ ...realSystem, platform: "darwin", env: {}, run });

test("the model is asked for once, by the full path of the program", async () => {
  const asked: unknown[] = [];
  const report = await mac((...call) => {
    asked.push(call.slice(0, 2));
    return Promise.resolve({ kind: "output", stdout: "MacBookPro18,3\n" });
  });
  expect(asked).toEqual([["/usr/sbin/sysctl", ["-n", "hw.model"]]]);
  expect(report).toMatchObject({ verdict: "not-ec2", rule: "foreign-mac" });
  expect(report.evidence).toContainEqual({
    kind: "sysctl",
    source: "hw.model",
    status: "present",
    value: "MacBookPro18,3",
    weight: "contradicts",
    says: "a model that EC2 does not have",
  });
});

test.each([
  { kind: "output", stdout: "Mac14,3\n" },
  { kind: "failed", reason: "ENOENT" },
] as const)("any other Mac stays unknown: %j", async (result) => {
  expect(await mac(() => Promise.resolve(result))).toMatchObject({ verdict: "unknown", rule: "platform-darwin" });
});
