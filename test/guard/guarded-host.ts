/** A guard on a host of the test's own making, in front of a loopback IMDS that signs with a throw-away key. */
import type { GuardEvent } from "../../src/events/catalogue.js";
import type { Guard } from "../../src/guard/guard.js";
import { createGuard } from "../../src/guard/create-guard.js";
import type { GuardOptions } from "../../src/settings/options.js";
import type { System } from "../../src/base/system.js";
import { fakeHost } from "../host/fake-host.js";
import { createSigner } from "../support/identity-signer.mjs";
import type { ImdsIdentity, ImdsServer } from "../support/imds-server.mjs";
import { startImdsServer } from "../support/imds-server.mjs";

/** One key for all tests: making one takes longer than using it. */
export const signer = createSigner();
export const REGION = "eu-central-1";
export const ACCOUNT = "111122223333";
export const STRANGER = "999988887777";
export const INSTANCE = "i-0a1b2c3d4e5f60718";

const DMI = "sys/class/dmi/id";
export const NITRO = {
  [`${DMI}/sys_vendor`]: "Amazon EC2",
  [`${DMI}/bios_vendor`]: "Amazon EC2",
  [`${DMI}/board_vendor`]: "Amazon EC2",
  [`${DMI}/chassis_vendor`]: "Amazon EC2",
  [`${DMI}/board_asset_tag`]: INSTANCE,
};
export const XEN = {
  [`${DMI}/sys_vendor`]: "Xen",
  [`${DMI}/bios_version`]: "4.11.amazon",
  [`${DMI}/product_version`]: "4.11.amazon",
};
export const LAPTOP = { [`${DMI}/sys_vendor`]: "LENOVO", [`${DMI}/bios_vendor`]: "LENOVO" };
/** A container that sees no DMI. */
export const UNKNOWN = {};

/** A machine with a clock that tests move by hand; it starts at the real time. */
export interface Machine {
  readonly system: System;
  readonly advance: (ms: number) => void;
}

export function machine(
  files: Readonly<Record<string, string>> = NITRO,
  env: Readonly<Record<string, string>> = {},
): Machine {
  let skew = 0;
  const system: System = {
    ...fakeHost({ platform: "linux", files }),
    env: { HOME: "/home/nobody", IMDS_GUARD_PROBE: "off", ...env },
    now: () => Date.now() + skew,
    monotonic: () => performance.now() + skew,
    random: () => 0.5,
  };
  return { system, advance: (ms) => (skew += ms) };
}

/** An IMDS that signs its documents with {@link signer}. */
export function startSigningImds(identity: Partial<ImdsIdentity> = {}): Promise<ImdsServer> {
  return startImdsServer({
    account: ACCOUNT,
    instanceId: INSTANCE,
    region: REGION,
    signDocument: (document: string) => signer.sign(document),
    ...identity,
  });
}

/** A guard with everything a test looks at. */
export interface Rig extends Machine {
  readonly guard: Guard;
  readonly events: GuardEvent[];
  readonly codes: () => string[];
}

/** A guard whose loopback endpoint is AWS's own setting, which makes proof required because the options say so. */
export function rigOn(
  imds: { readonly url: string },
  options: GuardOptions = {},
  files: Readonly<Record<string, string>> = NITRO,
  env: Readonly<Record<string, string>> = {},
): Rig {
  const events: GuardEvent[] = [];
  const made = machine(files, { AWS_EC2_METADATA_SERVICE_ENDPOINT: imds.url, ...env });
  const guard = createGuard(
    {
      attestation: "required",
      certificates: { [REGION]: signer.publicKeyPem },
      timeout: 2_000,
      log: "off",
      onEvent: (event) => events.push(event),
      ...options,
    },
    { system: made.system },
  );
  return { ...made, guard, events, codes: () => events.map(({ code }) => code) };
}

/** What a promise was rejected with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("it was not rejected");
}
