/** Which modules of the AWS SDK a program gets adapted, and when, by a loader as that of Node.js. */
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Loading } from "../../src/sdk/stock-modules.js";
import { adaptSdkModules } from "../../src/sdk/stock-modules.js";

interface Module {
  readonly filename: string;
  loaded: boolean;
  exports: unknown;
  require(id: string): unknown;
}
type Source = (module: Module) => void;

/**
 * A loader of modules that a test made up, by absolute names of files: what Node's own does, as far as it is adapted.
 * Names of packages are found as `node_modules/NAME/dist-cjs/index.js`.
 */
function loaderOf(sources: Readonly<Record<string, Source>>, parent: object = Function.prototype) {
  const builtin: Readonly<Record<string, object>> = { "node:http": { name: "http" }, http: { name: "http" }, fs: {} };
  class Loader implements Module {
    loaded = false;
    exports: unknown = {};
    readonly filename: string;
    constructor(filename: string) {
      this.filename = filename;
    }
    require(id: string): unknown {
      return Loader._load(id, this, false);
    }
    static _cache: Record<string, Module | undefined> = {};
    static _extensions = {
      ".js": (module: Module, file: string): string => {
        sources[file]?.(module);
        return file;
      },
    };
    static _resolveFilename(request: string, by: Pick<Module, "filename"> | undefined): string {
      const beside = by?.filename.replace(/[^\\/]*$/, request.replace("./", "")) ?? request;
      for (const file of [request, beside, `${beside}.js`, `/app/node_modules/${request}/dist-cjs/index.js`])
        if (Object.hasOwn(sources, file)) return file;
      throw new Error(`cannot find ${request}`);
    }
    static _load(request: string, by: Pick<Module, "filename"> | undefined, _isMain: boolean): unknown {
      if (builtin[request] !== undefined) return builtin[request];
      const file = Loader._resolveFilename(request, by);
      const cached = Loader._cache[file];
      if (cached !== undefined) return cached.exports;
      const module = new Loader(file);
      Loader._cache[file] = module;
      Loader._extensions[".js"](module, file);
      module.loaded = true;
      return module.exports;
    }
  }
  Object.setPrototypeOf(Loader, parent);
  const load = (request: string, by?: string): unknown =>
    Loader._load(request, by === undefined ? undefined : { filename: by }, false);
  return { Loader, builtin, load };
}

interface Adapted {
  readonly by: string;
  readonly of: object;
}
const NAMES = [
  "adaptCredentialProvider",
  "adaptMetadataClient",
  "adaptDefaultChain",
  "adaptProviders",
  "adaptSecondMajor",
  "guardedHttp",
] as const;

/** Adapters that say who they are; how often they were loaded, and what could not be adapted. */
function adapting(Loader: unknown, adapt: (by: string, of: object) => object = (by, of): Adapted => ({ by, of })) {
  const seen = { loads: 0, unadapted: [] as (readonly [string, unknown])[] };
  const adapters = Object.fromEntries(NAMES.map((name) => [name, (exports: object) => adapt(name, exports)]));
  const loading: Loading = {
    adapters: () => {
      seen.loads += 1;
      return adapters as unknown as ReturnType<Loading["adapters"]>;
    },
    moduleClass: () => Loader,
  };
  adaptSdkModules((file, error) => seen.unadapted.push([file, error]), loading);
  return seen;
}

const PACKAGES: readonly (readonly [string, (typeof NAMES)[number]])[] = [
  ["@smithy/credential-provider-imds", "adaptCredentialProvider"],
  ["@aws-sdk/credential-provider-imds", "adaptCredentialProvider"],
  ["@aws-sdk/ec2-metadata-service", "adaptMetadataClient"],
  ["@aws-sdk/credential-provider-node", "adaptDefaultChain"],
  ["@aws-sdk/credential-providers", "adaptProviders"],
];
const SECOND_MAJOR = [
  "/app/node_modules/aws-sdk/lib/metadata_service.js",
  "/app/node_modules/@x/fork-of-aws-sdk-2/lib/metadata_service.js",
  "C:\\app\\node_modules\\aws-sdk\\lib\\metadata_service.js",
];
const REGION_LOOKUPS = [
  "/app/node_modules/@smithy/core/dist-cjs/submodules/config/index.js",
  "/app/node_modules/@smithy/core/dist-cjs/submodules/config/region-lookup.cjs",
  "C:\\app\\node_modules\\@smithy\\core\\dist-cjs\\submodules\\config\\index.js",
];

const exporting =
  (exports: unknown): Source =>
  (module) => {
    module.exports = exports;
  };

describe("a module that is loaded from now on", () => {
  const files = [
    ...PACKAGES.flatMap(([name, adapter]) => [
      [`/app/node_modules/${name}/dist-cjs/index.js`, adapter] as const,
      [`C:\\app\\node_modules\\${name.replace("/", "\\")}\\dist-cjs\\index.js`, adapter] as const,
    ]),
    ...SECOND_MAJOR.map((file) => [file, "adaptSecondMajor"] as const),
  ];

  it.each(files)("%s is adapted as soon as it has run", (file, by) => {
    const stock = { stock: true };
    const { Loader, load } = loaderOf({ [file]: exporting(stock) });
    const seen = adapting(Loader);
    expect(seen.loads).toBe(0);
    const got = load(file);
    expect(got).toEqual({ by, of: stock });
    expect([load(file), Loader._cache[file]?.exports]).toEqual([got, got]);
    expect(load(file)).toBe(got);
    expect(Loader._cache[file]?.exports).toBe(got);
    expect(seen).toEqual({ loads: 1, unadapted: [] });
    // The loader goes on as it did.
    expect(Loader._extensions[".js"](new Loader(file), file)).toBe(file);
  });

  it.each([
    "/app/node_modules/@smithy/credential-provider-imds/dist-cjs/fromContainerMetadata.js",
    "/app/node_modules/@smithy/credential-provider-imds/dist-cjs/index.js.map",
    "/app/node_modules/@smithy/credential-provider-imds/dist-es/index.js",
    "/app/node_modules/@other/credential-provider-imds/dist-cjs/index.js",
    "/app/node_modules/x@smithy/credential-provider-imds/dist-cjs/index.js",
    "/app/node_modules/@smithy/credential-provider-imds-x/dist-cjs/index.js",
    "/app/node_modules/x@aws-sdk/ec2-metadata-service/dist-cjs/index.js",
    "/app/node_modules/@aws-sdk/ec2-metadata-service/dist-cjs/index.jsx",
    "/app/node_modules/x@aws-sdk/credential-provider-node/dist-cjs/index.js",
    "/app/node_modules/@aws-sdk/credential-provider-node/dist-cjs/defaultProvider.js",
    "/app/node_modules/x@aws-sdk/credential-providers/dist-cjs/index.js",
    "/app/node_modules/@aws-sdk/credential-providers/dist-cjs/fromIni.js",
    "/app/node_modules/@aws-sdk/credential-provider-ini/dist-cjs/index.js",
    "/app/lib/metadata_service.js",
    "/app/aws-sdk/metadata_service.js",
    "/app/node_modules/aws-sdk/lib/my_metadata_service.js",
    "/app/node_modules/aws-sdk/lib/metadata_service.json",
    "/app/node_modules/aws-sdk/lib/index.js",
  ])("%s is as it is", (file) => {
    const stock = {};
    const { Loader, load } = loaderOf({ [file]: exporting(stock) });
    const seen = adapting(Loader);
    expect(load(file)).toBe(stock);
    expect(seen.loads).toBe(0);
  });

  const FILE = "/app/node_modules/@aws-sdk/credential-providers/dist-cjs/index.js";

  it("is what whoever imports it gets, too, right after it has run", () => {
    const stock = {};
    const { Loader } = loaderOf({ [FILE]: exporting(stock) });
    adapting(Loader);
    const module = new Loader(FILE);
    Loader._extensions[".js"](module, FILE);
    expect(module.exports).toEqual({ by: "adaptProviders", of: stock });
  });

  it("that is a function is adapted, and what is neither that nor an object is not", () => {
    const stock = (): void => undefined;
    const { Loader, load } = loaderOf({ [FILE]: exporting(stock) });
    adapting(Loader);
    expect(load(FILE)).toMatchObject({ of: stock });
    for (const value of [undefined, null, "text", 5]) {
      const other = loaderOf({ [FILE]: exporting(value) });
      const seen = adapting(other.Loader);
      expect([other.load(FILE), seen.loads]).toEqual([value, 0]);
    }
  });

  it("that exports what another one does is given the same stand-in", () => {
    const OTHER = "/other/node_modules/@aws-sdk/credential-providers/dist-cjs/index.js";
    const stock = {};
    const { Loader, load } = loaderOf({ [FILE]: exporting(stock), [OTHER]: (module) => (module.exports = load(FILE)) });
    const seen = adapting(Loader);
    expect(load(OTHER)).toBe(load(FILE));
    expect(seen.loads).toBe(1);
  });

  it("that cannot be adapted is as it was, is told of once, and is not tried again", () => {
    const error = new TypeError("the module has no function fromIni");
    const stock = {};
    const { Loader, load } = loaderOf({ [FILE]: exporting(stock) });
    const seen = adapting(Loader, () => {
      throw error;
    });
    expect([load(FILE), load(FILE), load("@aws-sdk/credential-providers")]).toEqual([stock, stock, stock]);
    expect(load(FILE)).toBe(stock);
    expect(seen).toEqual({ loads: 1, unadapted: [[FILE, error]] });
  });

  it("is there for the program even where that cannot be told", () => {
    const stock = {};
    const { Loader, load } = loaderOf({ [FILE]: exporting(stock) });
    const fail = (): never => {
      throw new Error("no");
    };
    adaptSdkModules(fail, { adapters: fail, moduleClass: () => Loader });
    expect(load(FILE)).toBe(stock);
  });
});

describe("a module that was loaded before", () => {
  it.each(PACKAGES)("%s is adapted when somebody asks for it by its name", (name, by) => {
    const file = `/app/node_modules/${name}/dist-cjs/index.js`;
    const stock = {};
    const { Loader, load } = loaderOf({ [file]: exporting(stock) });
    expect(load(file)).toBe(stock);
    const seen = adapting(Loader);
    const got = load(name, "/app/index.js");
    expect(got).toEqual({ by, of: stock });
    expect([load(name), load(file)].every((again) => again === got)).toBe(true);
    expect(seen).toEqual({ loads: 1, unadapted: [] });
  });

  it.each(["./metadata_service", "./metadata_service.js"])(
    "%s is adapted when the second major asks for it",
    (name) => {
      const [file = ""] = SECOND_MAJOR;
      const stock = {};
      const { Loader, load } = loaderOf({ [file]: exporting(stock), "/app/lib/metadata_service.js": exporting(stock) });
      load(file);
      adapting(Loader);
      expect(load(name, "/app/lib/core.js")).toBe(stock);
      expect(load(name, file.replace("metadata_service", "core"))).toEqual({ by: "adaptSecondMajor", of: stock });
    },
  );

  const [NAME] = PACKAGES[4] ?? [""];
  const FILE = `/app/node_modules/${NAME}/dist-cjs/index.js`;

  it("and could not be adapted is told of by its file", () => {
    const { Loader, load } = loaderOf({ [FILE]: exporting({}) });
    load(FILE);
    const error = new Error("no");
    const seen = adapting(Loader, () => {
      throw error;
    });
    load(NAME);
    load(NAME);
    expect(seen).toEqual({ loads: 1, unadapted: [[FILE, error]] });
  });

  it("is as it is while two modules load each other", () => {
    let half: unknown;
    const OTHER = "/app/other.js";
    const { Loader, load } = loaderOf({
      [FILE]: (module) => {
        module.require(OTHER);
        module.exports = { whole: true };
      },
      [OTHER]: () => (half = load(NAME)),
    });
    const seen = adapting(Loader);
    const whole = load(FILE);
    expect([half, whole]).toEqual([{}, { by: "adaptProviders", of: { whole: true } }]);
    expect(seen.loads).toBe(1);
  });

  it.each<[string, (Loader: ReturnType<typeof loaderOf>["Loader"]) => void]>([
    ["has nothing of it in its cache", (Loader) => (Loader._cache[FILE] = undefined)],
    [
      "has another one in its cache",
      (Loader) => (Loader._cache[FILE] = Object.assign(new Loader(FILE), { loaded: true })),
    ],
    [
      "does not find it",
      (Loader) => {
        Loader._resolveFilename = () => {
          throw new Error("cannot find it");
        };
      },
    ],
  ])("is as it is where the loader %s", (_, change) => {
    const stock = {};
    const { Loader } = loaderOf({ [FILE]: exporting(stock) });
    // As a tool that hands out modules of its own.
    Loader._load = () => stock;
    const seen = adapting(Loader);
    change(Loader);
    expect(Loader._load(NAME, undefined, false)).toBe(stock);
    expect(seen.loads).toBe(0);
  });
});

describe("the region lookup of SDK clients", () => {
  it.each(REGION_LOOKUPS)("%s is given a guarded http, and all else as it is", (file) => {
    const got: unknown[] = [];
    const { Loader, builtin, load } = loaderOf({
      [file]: (module) => {
        got.push(...["node:http", "http", "fs", "/app/text.js"].map((id) => module.require(id)));
        module.exports = {};
      },
      "/app/text.js": exporting("text"),
      "/app/index.js": (module) => got.push(module.require("node:http")),
    });
    const seen = adapting(Loader);
    load(file);
    load("/app/index.js");
    expect(got).toEqual([
      { by: "guardedHttp", of: builtin["node:http"] },
      { by: "guardedHttp", of: builtin["http"] },
      builtin["fs"],
      "text",
      builtin["node:http"],
    ]);
    expect(seen.unadapted).toEqual([]);
    // By its loader as well, and the same one again.
    expect([load("node:http", file) === got[0], load("fs", file)]).toEqual([true, builtin["fs"]]);
    expect(load("node:http", "/app/index.js")).toBe(builtin["node:http"]);
    expect(load("node:http")).toBe(builtin["node:http"]);
    expect(seen.loads).toBe(2);
  });

  it("is given it though a tracer hands out http without asking the loader", () => {
    const [file = ""] = REGION_LOOKUPS;
    let got: unknown;
    const traced = { traced: true };
    const { Loader, load } = loaderOf({ [file]: (module) => (got = module.require("http")) });
    Loader.prototype.require = () => traced;
    adapting(Loader);
    load(file);
    expect(got).toEqual({ by: "guardedHttp", of: traced });
  });

  it("can have its own require replaced", () => {
    const [file = ""] = REGION_LOOKUPS;
    const { Loader, load } = loaderOf({
      [file]: (module) => {
        expect(Object.getOwnPropertyDescriptor(module, "require")).toMatchObject({
          writable: true,
          configurable: true,
        });
        module.require = () => "replaced";
        module.exports = module.require("http");
      },
    });
    adapting(Loader);
    expect(load(file)).toBe("replaced");
  });

  it("is told of by its file where http cannot be guarded", () => {
    const [file = ""] = REGION_LOOKUPS;
    const error = new Error("no");
    const { Loader, builtin, load } = loaderOf({ [file]: (module) => (module.exports = module.require("http")) });
    const seen = adapting(Loader, () => {
      throw error;
    });
    expect(load(file)).toBe(builtin["http"]);
    expect(seen.unadapted).toEqual([[file, error]]);
    expect(load("node:http", file)).toBe(builtin["node:http"]);
    expect(seen.unadapted).toEqual([
      [file, error],
      [file, error],
    ]);
  });

  it.each([
    "/app/node_modules/x@smithy/core/dist-cjs/submodules/config/index.js",
    "/app/node_modules/@smithy/core/dist-cjs/submodules/config/deeper/index.js",
    "/app/node_modules/@smithy/core/dist-cjs/submodules/protocols/index.js",
    "/app/node_modules/@smithy/core/dist-es/submodules/config/index.js",
  ])("is none of %s", (file) => {
    const { Loader, builtin, load } = loaderOf({ [file]: (module) => (module.exports = module.require("http")) });
    adapting(Loader);
    expect(load(file)).toBe(builtin["http"]);
  });
});

describe("the loader", () => {
  const [NAME, by] = PACKAGES[0] ?? ["", ""];
  const FILE = `/app/node_modules/${NAME}/dist-cjs/index.js`;

  afterEach(() => {
    vi.restoreAllMocks();
  });

  it("of the process is adapted once, whichever copy comes first", () => {
    const { Loader, load } = loaderOf({ [FILE]: exporting({}) });
    const copies = [adapting(Loader), adapting(Loader)];
    load(FILE);
    expect(copies.map(({ loads }) => loads)).toEqual([1, 0]);
  });

  it("of a realm that ends is adapted by each, and leaves the loader of the process to others", () => {
    const process = loaderOf({});
    const { Loader, load } = loaderOf({ [FILE]: exporting({}) }, process.Loader);
    const copies = [adapting(Loader), adapting(Loader)];
    load(FILE);
    expect(copies.every(({ loads }) => loads > 0)).toBe(true);
  });

  it.each([undefined, {}, { _load: "text" }])("is that of node:module where the own one is %s", (own) => {
    const { Loader, load } = loaderOf({ [FILE]: exporting({}) });
    const getBuiltinModule = vi.spyOn(process, "getBuiltinModule").mockReturnValue(Loader as never);
    adapting(own);
    expect(getBuiltinModule.mock.calls).toEqual([["node:module"]]);
    getBuiltinModule.mockRestore();
    expect(load(FILE)).toMatchObject({ by });
  });
});
