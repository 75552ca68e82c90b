/** Guarded parts for the modules of the AWS SDK that speak to IMDS. */
import { TOKEN_PATH } from "../aws/imds-protocol.js";
import { EventEmitter } from "node:events";
import type { RequestOptions } from "node:http";
import { Readable } from "node:stream";
import { ownProperties } from "../base/own-properties.js";
import { serviceOf } from "../firewall/classify.js";
import { withMembers } from "./adapted-module.js";
import { withExpectedAccounts } from "./expected-accounts.js";
import { guardFor } from "./process-guards.js";
import type { ProviderKind } from "./stock-providers.js";
import { leadingToOwn, saysThatItRemembers } from "./stock-providers.js";

const REGION_PATH = "/latest/meta-data/placement/region";

interface Init {
  readonly profile?: string | undefined;
}

/**
 * What a client that speaks IMDS itself is told: no token of the service leaves the guard, and no region but an
 * attested one.
 */
async function answer(method: string | undefined, path: string): Promise<string> {
  // The clients want one; what it says is never looked at.
  if (method === "PUT" && path === TOKEN_PATH) return "held-by-imds-guard";
  const guard = await guardFor();
  if (path.replace(/\/+/g, "/") !== REGION_PATH) return guard.metadata(path);
  return (await guard.identity())?.region ?? guard.region();
}

type HttpRequest = (options: RequestOptions) => Promise<Buffer>;

/** The package that asks IMDS for credentials, and that other modules of the SDK ask for a region. */
export function adaptCredentialProvider(exports: object): object {
  return withMembers(exports, {
    fromInstanceMetadata: () => fromInstanceMetadata,
    httpRequest: (httpRequest: HttpRequest): HttpRequest => {
      return async (options) => {
        const { hostname, host, method, path } = ownProperties(options);
        return serviceOf((hostname ?? host ?? "").replace(/^\[(.+)\]$/, "$1")) === "imds"
          ? Buffer.from(await answer(method, path ?? "/"))
          : httpRequest(options);
      };
    },
  });
}

function fromInstanceMetadata(init: Init = {}): () => Promise<unknown> {
  let provider: Promise<() => Promise<unknown>> | undefined;
  return async () => {
    provider ??= Promise.all([import("./instance-metadata.js"), guardFor(init)]).then(([module, guard]) =>
      module.fromInstanceMetadata({ ...init, guard }),
    );
    // The SDK's callers of this package set their own marks.
    const { $source: _, ...credentials } = (await (await provider)()) as { $source?: unknown };
    return credentials;
  };
}

type Factory = Parameters<typeof withExpectedAccounts>[0];

const holding =
  (link: string) =>
  (factory: Factory): Factory =>
    withExpectedAccounts(factory, link, guardFor);

const leading =
  (link: string, kind: ProviderKind) =>
  (factory: Factory): unknown =>
    leadingToOwn(holding(link)(factory) as Parameters<typeof leadingToOwn>[0], kind, guardFor);

export function adaptDefaultChain(exports: object): object {
  return withMembers(exports, { defaultProvider: leading("the default chain", "chain") });
}

/** Those that this package has drop-ins for. Its chain is the default chain. */
export function adaptProviders(exports: object): object {
  return withMembers(exports, {
    fromIni: leading("profile", "profile"),
    // Not there in the first versions of that package.
    ...(Object.hasOwn(exports, "fromNodeProviderChain") && { fromNodeProviderChain: saysThatItRemembers }),
    fromTemporaryCredentials: holding("temporary credentials"),
  });
}

export function adaptMetadataClient(exports: object): object {
  return withMembers(exports, { MetadataService: () => MetadataService });
}

class MetadataService {
  readonly #init: Init;

  constructor(init: Init = {}) {
    this.#init = init;
  }

  async request(path: string, options: { readonly method?: string } = {}): Promise<string> {
    const { method = "GET" } = ownProperties(options);
    if (method === "GET" && path === REGION_PATH) return answer(method, path);
    const guard = await guardFor(this.#init);
    return method === "PUT" ? guard.metadataToken() : guard.metadata(path);
  }

  async fetchMetadataToken(): Promise<string> {
    return (await guardFor(this.#init)).metadataToken();
  }
}

type Callback = (error: unknown, data?: unknown) => void;

type Options = { readonly method?: string } | Callback;

const NOTHING: { readonly method?: string } = ownProperties({});

/**
 * That version keeps its class in two places, its module and the namespace of the whole package, so the methods are
 * defined on the prototype, which both have: all of them or none.
 * @throws TypeError where the prototype is not as it was in every version, or cannot be changed
 */
export function adaptSecondMajor(exports: object): object {
  const { prototype } = exports as { readonly prototype?: object };
  const methods = Object.entries(SECOND_MAJOR_METHODS);
  for (const [name] of methods) {
    const own = prototype && Reflect.getOwnPropertyDescriptor(prototype, name);
    if (own === undefined || !Object.hasOwn(own, "value") || !own.configurable)
      throw new TypeError(`the class has no method ${name} that could be replaced`);
  }
  for (const [name, value] of methods)
    Object.defineProperty(
      prototype,
      name,
      ownProperties({ value, writable: true, configurable: true, enumerable: true }),
    );
  return exports;
}

const SECOND_MAJOR_METHODS = {
  request(path: string, options: Options, callback?: Callback): void {
    const [{ method }, done] =
      typeof options === "function" ? [NOTHING, options] : [ownProperties(options), callback as Callback];
    callBack(answer(method, path), done);
  },
  fetchMetadataToken(callback: Callback): void {
    callBack(answer("PUT", TOKEN_PATH), callback);
  },
  loadCredentials(callback: Callback): void {
    // That version names a default profile even where the program named none.
    const work = guardFor().then(async (guard) => {
      const { accessKeyId, secretAccessKey, sessionToken, expiration } = await guard.credentials();
      return {
        Code: "Success",
        Type: "AWS-HMAC",
        AccessKeyId: accessKeyId,
        SecretAccessKey: secretAccessKey,
        Token: sessionToken,
        Expiration: expiration.toISOString(),
      };
    });
    callBack(work, callback);
  },
};

/** Out of the promise: what a callback throws is the program's own exception and not a rejection. */
function callBack(work: Promise<unknown>, callback: Callback): void {
  work.then(
    (value) => setImmediate(callback, null, value),
    (error: unknown) => setImmediate(callback, error),
  );
}

/** As much of a client request as the region lookup uses, answered by the guard and by no socket. */
class GuardedRequest extends EventEmitter {
  readonly #options: RequestOptions;
  #ended = false;

  constructor(options: RequestOptions) {
    super();
    this.#options = options;
  }

  end(): this {
    if (this.#ended) return this;
    this.#ended = true;
    const { method, path } = this.#options;
    answer(method, path ?? "/").then(
      (text) =>
        this.emit("response", Object.assign(Readable.from([Buffer.from(text)]), { statusCode: 200, headers: {} })),
      (error: unknown) => this.emit("error", error),
    );
    return this;
  }

  destroy(): this {
    return this;
  }
}

/** Derived and not copied: copying would read every member, and some load half of Node when they are read. */
export function guardedHttp(http: object): object {
  return Object.create(http, {
    request: { value: (options: RequestOptions) => new GuardedRequest(options), enumerable: true },
  }) as object;
}
