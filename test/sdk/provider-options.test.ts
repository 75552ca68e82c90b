/** Options of providers that would lose the guard with them are errors, before anything is asked. */
import { describe, expect, it } from "vitest";
import { createGuard } from "../../src/sdk/application-guard.js";
import { fromIni } from "../../src/sdk/ini.js";
import { fromInstanceMetadata } from "../../src/sdk/instance-metadata.js";
import { fromIotRoleAlias } from "../../src/sdk/iot-role-alias.js";
import { MetadataService } from "../../src/sdk/metadata-service.js";
import { fromNodeProviderChain } from "../../src/sdk/node-chain.js";
import { fromGuardedRegion } from "../../src/sdk/region.js";
import { fromRolesAnywhere } from "../../src/sdk/roles-anywhere.js";
import { fromTemporaryCredentials } from "../../src/sdk/temporary-credentials.js";

type Make = (init: never) => unknown;
const PROVIDERS: Readonly<Record<string, Make>> = {
  fromNodeProviderChain,
  fromIni,
  fromInstanceMetadata,
  fromGuardedRegion,
  fromTemporaryCredentials,
  fromRolesAnywhere,
  fromIotRoleAlias,
  MetadataService: (init) => new MetadataService(init),
  clientConfig: (init) => createGuard().clientConfig(init),
};
const guard = { expectedAccounts: ["111122223333"] };
class Options {
  get guard(): typeof guard {
    return guard;
  }
}
const ODD: Readonly<Record<string, unknown>> = {
  "a promise, by a forgotten await": Promise.resolve({ guard }),
  "a Map": new Map([["guard", guard]]),
  "an instance whose class has a getter": new Options(),
  "an object that inherits them": Object.create({ guard }),
  "a guard": createGuard(guard),
  null: null,
  "a word": "guard",
  "a number": 5,
  "a list": [{ guard }],
  "a function": () => ({ guard }),
};

describe.each(Object.entries(PROVIDERS))("%s", (_, make) => {
  it.each(Object.entries(ODD))("refuses %s", (__, init) => {
    expect(() => make(init as never)).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARG_VALUE" }) as Error);
  });

  it.each(["expectedAccounts", "expectedRoles", "expectedRegions", "attestation", "onUnknownAccount", "verifyWithSts"])(
    "says where %s belongs",
    (name) => {
      expect(() => make({ [name]: ["111122223333"] } as never)).toThrow(`guard: { ${name} }`);
    },
  );
});

it("takes plain objects of any realm, null prototypes, and a setting that is left undefined", () => {
  for (const make of [fromNodeProviderChain, fromIni, fromInstanceMetadata, fromGuardedRegion])
    for (const init of [undefined, {}, Object.create(null) as object, { expectedAccounts: undefined }])
      expect(make(init)).toBeTypeOf("function");
});

it("takes no list with holes, and none that changes while it is read", () => {
  const holes = ["111122223333"];
  holes.length = 2;
  expect(() => createGuard({ expectedAccounts: holes })).toThrow(TypeError);
});
