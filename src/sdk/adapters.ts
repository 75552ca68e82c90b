/** Guarded parts for the modules of the AWS SDK that speak to IMDS. */
import { EventEmitter } from "node:events";
import type { RequestOptions } from "node:http";
import { Readable } from "node:stream";
import type { Guard } from "../guard/guard.js";
import { serviceOf } from "../firewall/classify.js";
import { holdingAccounts } from "./expected-accounts.js";

const TOKEN_PATH = "/latest/api/token";
const REGION_PATH = "/latest/meta-data/placement/region";

interface Init {
  readonly profile?: string | undefined;
}

const guards = new Map<string, Promise<Guard>>();

/** One guard for each profile, whose settings come from the environment and that profile. */
function guardFor({ profile }: Init = {}): Promise<Guard> {
  const key = profile ?? "";
  let guard = guards.get(key);
  if (guard === undefined)
    guards.set(
      key,
      (guard = import("../guard/guard.js").then(({ createGuard }) =>
        createGuard(profile === undefined ? {} : { profile }),
      )),
    );
  return guard;
}

/**
 * What a client that speaks IMDS itself is told: no token of the service leaves the guard, and no region but an
 * attested one.
 */
async function answer(method: string, path: string): Promise<string> {
  // The clients want one; what it says is never looked at.
  if (method === "PUT" && path === TOKEN_PATH) return "held-by-imds-guard";
  const guard = await guardFor();
  if (path.replace(/\/+/g, "/") !== REGION_PATH) return guard.metadata(path);
  return (await guard.identity())?.region ?? guard.region();
}

interface CredentialProviderPackage {
  fromInstanceMetadata: (init?: Init) => unknown;
  httpRequest: (options: RequestOptions) => Promise<Buffer>;
}

export function adaptCredentialProvider(exports: CredentialProviderPackage): void {
  const { httpRequest } = exports;
  exports.fromInstanceMetadata = (init = {}) => {
    let provider: Promise<() => Promise<unknown>> | undefined;
    return async () => {
      provider ??= Promise.all([import("./instance-metadata.js"), guardFor(init)]).then(
        ([{ fromInstanceMetadata }, guard]) => fromInstanceMetadata({ ...init, guard }),
      );
      // The SDK's callers of this package set their own marks.
      const { $source: _, ...credentials } = (await (await provider)()) as { $source?: unknown };
      return credentials;
    };
  };
  exports.httpRequest = async (options) => {
    const host = (options.hostname ?? options.host ?? "").replace(/^\[(.+)\]$/, "$1");
    return serviceOf(host) === "imds"
      ? Buffer.from(await answer(options.method ?? "GET", options.path ?? "/"))
      : httpRequest(options);
  };
}

type Factory = Parameters<typeof holdingAccounts>[0];

export function adaptDefaultChain(exports: { defaultProvider: Factory }): void {
  exports.defaultProvider = holdingAccounts(exports.defaultProvider, "the default chain", guardFor);
}

/** Those that this package has drop-ins for. Its chain is the default chain. */
export function adaptProviders(exports: { fromIni: Factory; fromTemporaryCredentials: Factory }): void {
  exports.fromIni = holdingAccounts(exports.fromIni, "profile", guardFor);
  exports.fromTemporaryCredentials = holdingAccounts(
    exports.fromTemporaryCredentials,
    "temporary credentials",
    guardFor,
  );
}

export function adaptMetadataClient(exports: { MetadataService: unknown }): void {
  exports.MetadataService = class MetadataService {
    readonly #init: Init;

    constructor(init: Init = {}) {
      this.#init = init;
    }

    async request(path: string, options: { readonly method?: string } = {}): Promise<string> {
      const method = options.method ?? "GET";
      if (method === "GET" && path === REGION_PATH) return answer(method, path);
      const guard = await guardFor(this.#init);
      return method === "PUT" ? guard.metadataToken() : guard.metadata(path);
    }

    async fetchMetadataToken(): Promise<string> {
      return (await guardFor(this.#init)).metadataToken();
    }
  };
}

type Callback = (error: unknown, data?: unknown) => void;

interface SecondMajorService {
  prototype: {
    request: (this: Init, path: string, options: { method?: string } | Callback, callback?: Callback) => void;
    loadCredentials: (this: Init, callback: Callback) => void;
    fetchMetadataToken: (this: Init, callback: Callback) => void;
  };
}

export function adaptSecondMajor(exports: SecondMajorService): void {
  const { prototype } = exports;
  const tell = (work: Promise<unknown>, callback: Callback): void => {
    // Out of the promise: what a callback throws is the program's own exception and not a rejection.
    work.then(
      (value) => setImmediate(callback, null, value),
      (error: unknown) => setImmediate(callback, error),
    );
  };
  prototype.request = (path, options, callback) => {
    const [given, done] = typeof options === "function" ? [{}, options] : [options, callback as Callback];
    tell(answer(given.method ?? "GET", path), done);
  };
  prototype.fetchMetadataToken = (callback) => tell(answer("PUT", TOKEN_PATH), callback);
  prototype.loadCredentials = function loadCredentials(callback) {
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
    tell(work, callback);
  };
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
    const { method = "GET", path = "/" } = this.#options;
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
