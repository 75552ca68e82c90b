/** The guards of a process: one for each profile, by the settings of environment and profile. */
import { expect, it } from "vitest";
import { profileNameOf, servicesOf } from "../../src/guard/guard.js";
import { guardFor } from "../../src/sdk/process-guards.js";
import { withAttestedEnvironment } from "./attested-service.js";

const profileOf = async (init?: Parameters<typeof guardFor>[0]): Promise<string> =>
  (await servicesOf(await guardFor(init))).settings.profile;

it("is one for each profile, or that of the environment at that moment", async () => {
  const config = "[default]\n[profile a]\n[profile b]\nimds_guard_mode = deny\n";
  await withAttestedEnvironment({ config }, {}, async () => {
    const guard = await guardFor();
    expect([await profileOf(), await profileOf({}), await profileOf({ profile: undefined })]).toEqual(
      Array(3).fill("default"),
    );
    expect(await guardFor()).toBe(guard);
    expect(await profileOf({ profile: "a" })).toBe("a");
    expect(await guardFor({ profile: "a" })).toBe(await guardFor({ profile: "a" }));
    expect(profileNameOf(await guardFor({ profile: "a" }))).toBe("a");
    expect(await guardFor({ profile: "b" })).not.toBe(await guardFor({ profile: "a" }));
    const named = await guardFor({ profile: "a" });
    process.env["AWS_PROFILE"] = "b";
    expect(await guardFor({ profile: "a" })).toBe(named);
    expect([await profileOf(), await profileOf({ profile: "" })]).toEqual(["b", "b"]);
    expect((await servicesOf(await guardFor())).settings.mode).toBe("deny");
    expect(await profileOf({ profile: "a" })).toBe("a");
    // Only what somebody said of this very provider.
    expect(await profileOf(Object.create({ profile: "a" }) as object)).toBe("b");
  });
});
