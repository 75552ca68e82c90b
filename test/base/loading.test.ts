/** Who loads this package and its parts: from files, in a bundle, and in a single executable. */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as sdkConfig from "@smithy/core/config";
import * as sdkProviders from "@aws-sdk/credential-providers";
import * as sdkFiles from "@smithy/shared-ini-file-loader";
import { afterEach, describe, expect, it, vi } from "vitest";
import { isSingleExecutable, preloadInExecutable } from "../../src/base/executable-files.js";
import * as inBundle from "../../src/base/extra.bundled.js";
import { hasExtra, loadExtra, provideExtras } from "../../src/base/extra.js";
import * as sdkInBundle from "../../src/base/load-sdk.bundled.js";
import * as sdk from "../../src/base/load-sdk.js";
import { isLoadedByNode as bundleIsLoadedByNode } from "../../src/base/loader.bundled.js";
import { isLoadedByNode } from "../../src/base/loader.js";
import { OWN_FOLDER } from "../../src/base/own-folder.js";

afterEach(() => {
  vi.restoreAllMocks();
});

describe("a part", () => {
  it("is loaded from its file when it is needed", async () => {
    const load = vi.fn(() => Promise.resolve({ here: true }));
    expect(hasExtra("dns")).toBe(true);
    expect(await loadExtra("dns", "whoever asks", load)).toEqual({ here: true });
    expect(load).toHaveBeenCalledOnce();
    expect(provideExtras({} as Parameters<typeof provideExtras>[0])).toBeUndefined();
  });

  /** What is provided once stays for the life of a process. */
  const dns = { of: "a bundle" };
  const provide = (parts: object) => inBundle.provideExtras(parts as Parameters<typeof provideExtras>[0]);

  it("is in a bundle what was provided first, or an error that says what to do", async () => {
    provide({ dns });
    provide({ dns: {}, sts: {} });
    expect([inBundle.hasExtra("dns"), inBundle.hasExtra("sts")]).toEqual([true, false]);
    expect(await inBundle.loadExtra("dns", "whoever asks")).toBe(dns);
    await expect(inBundle.loadExtra("sts", "verifyWithSts on")).rejects.toMatchObject({
      name: "ImdsGuardSettingsError",
      code: "ERR_IMDS_GUARD_SETTING",
      message: expect.stringMatching(/^verifyWithSts on needs a part of imds-guard that this bundle does not have\./),
      advice: 'Add import "imds-guard/extras" to the application, beside its import of imds-guard.',
    });
  });

  it("is none that all objects inherit", async () => {
    provide({ dns });
    const inherited = Object.prototype as unknown as Record<string, unknown>;
    inherited["monitor"] = {};
    try {
      expect(inBundle.hasExtra("monitor")).toBe(false);
      await expect(inBundle.loadExtra("monitor", "monitor")).rejects.toMatchObject({ code: "ERR_IMDS_GUARD_SETTING" });
    } finally {
      delete inherited["monitor"];
    }
  });
});

describe("the SDK", () => {
  it("is loaded once, and is the application's own", async () => {
    expect((await sdk.loadSdkConfig()).CredentialsProviderError).toBe(sdkConfig.CredentialsProviderError);
    expect((await sdk.loadSdkProviders()).fromIni).toBe(sdkProviders.fromIni);
    expect((await sdk.loadIniFiles()).parseKnownFiles).toBe(sdkFiles.parseKnownFiles);
    for (const load of [sdk.loadSdkConfig, sdk.loadSdkProviders, sdk.loadIniFiles]) expect(load()).toBe(load());
  });

  it.each([
    ["loadSdkConfig", sdkConfig, ["CredentialsProviderError"]],
    [
      "loadSdkProviders",
      sdkProviders,
      ["fromContainerMetadata", "fromEnv", "fromHttp", "fromIni", "fromProcess", "fromSSO", "fromTokenFile"],
    ],
    ["loadSdkTemporaryCredentials", sdkProviders, ["fromTemporaryCredentials"]],
    ["loadIniFiles", sdkFiles, ["getProfileName", "parseKnownFiles"]],
  ] as const)("is in a bundle by name: %s", async (load, whole, names) => {
    const members = await sdkInBundle[load]();
    expect(Object.keys(members)).toEqual(names);
    for (const name of names)
      expect((members as Record<string, unknown>)[name]).toBe((whole as Record<string, unknown>)[name]);
  });
});

describe("the files of the package", () => {
  it("are loaded by Node.js in a bundle, and not by it under these tests", () => {
    expect([isLoadedByNode(), bundleIsLoadedByNode()]).toEqual([false, true]);
  });

  it("lie beside each other", () => {
    expect(OWN_FOLDER).toBe(join(dirname(fileURLToPath(import.meta.url)), "..", "..", "src"));
  });

  const sea = {
    isSea: () => true,
    getAsset: (name: string, encoding: string) =>
      name === "files.json" && encoding === "utf8" ? '{ "preload": ["a.cjs", "b.cjs"], "other": ["c"] }' : "",
    getRawAsset: (name: string) => new TextEncoder().encode(`content of ${name}`).buffer,
  };
  const having = (found: unknown) => {
    const { getBuiltinModule } = process;
    vi.spyOn(process, "getBuiltinModule").mockImplementation(((name: string) =>
      name === "node:sea" ? found : getBuiltinModule.call(process, name)) as typeof getBuiltinModule);
  };

  it.each([
    ["Node.js as it is", "real"],
    ["a Node.js without single executables", undefined],
    ["a Node.js that is none", { ...sea, isSea: () => false }],
  ])("are in no executable in %s", (_, found) => {
    if (found !== "real") having(found);
    expect([isSingleExecutable(), preloadInExecutable()]).toEqual([false, undefined]);
  });

  it("are in none where an old Node.js cannot tell", () => {
    const present = Object.getOwnPropertyDescriptor(process, "getBuiltinModule")!;
    Object.defineProperty(process, "getBuiltinModule", { ...present, value: undefined });
    try {
      expect(isSingleExecutable()).toBe(false);
    } finally {
      Object.defineProperty(process, "getBuiltinModule", present);
    }
  });

  it("are in the executable where there is one", () => {
    having(sea);
    expect(isSingleExecutable()).toBe(true);
    const files = [...preloadInExecutable()!].map(([name, bytes]) => [name, new TextDecoder().decode(bytes)]);
    expect(files).toEqual([
      ["a.cjs", "content of a.cjs"],
      ["b.cjs", "content of b.cjs"],
    ]);
  });
});
