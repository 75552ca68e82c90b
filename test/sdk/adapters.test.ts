/** What programs get in place of the SDK's parts that speak to IMDS, where no import of theirs was changed. */
import type { EventEmitter } from "node:events";
import { once } from "node:events";
import type { RequestOptions } from "node:http";
import http from "node:http";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import {
  adaptCredentialProvider,
  adaptDefaultChain,
  adaptMetadataClient,
  adaptProviders,
  adaptSecondMajor,
  guardedHttp,
} from "../../src/sdk/adapters.js";
import { accessKeyIdFor } from "../support/access-keys.mjs";
import { withAttestedEnvironment } from "./attested-service.js";
import { inScene } from "./side-by-side.js";

const REGION = "/latest/meta-data/placement/region";
const INSTANCE_ID = "/latest/meta-data/instance-id";
const TOKEN = "/latest/api/token";
const HELD = "held-by-imds-guard";
const OFF = { env: { AWS_PROFILE: "off" }, config: "[profile off]\ndisable_ec2_metadata = true\n[profile on]\n" };
const DISABLED = { code: "ERR_IMDS_DISABLED" };

describe("the package that asks IMDS", () => {
  interface Package {
    readonly fromInstanceMetadata: (init?: object) => () => Promise<Record<string, unknown>>;
    readonly httpRequest: (options: RequestOptions) => Promise<Buffer>;
    readonly other: number;
  }
  function adapted(): { module: Package; asked: RequestOptions[] } {
    const asked: RequestOptions[] = [];
    const module = adaptCredentialProvider({
      other: 5,
      fromInstanceMetadata: () => () => Promise.reject(new Error("the stock one")),
      httpRequest(options: RequestOptions) {
        asked.push(options);
        return Promise.resolve(Buffer.from("from somebody else"));
      },
    }) as Package;
    return { module, asked };
  }

  it("is answered by the guard, which gives no token away and no region but an attested one", async () => {
    await withAttestedEnvironment({}, {}, async (service) => {
      const { module, asked } = adapted();
      const ask = async (path: string, method?: string, host: RequestOptions = { host: "169.254.169.254" }) =>
        String(await module.httpRequest({ ...host, path, ...(method !== undefined && { method }) }));
      expect(await ask(TOKEN, "PUT")).toBe(HELD);
      expect(service.counters.total).toBe(0);
      for (const path of [REGION, REGION.replaceAll("/", "//")]) expect(await ask(path, "GET")).toBe("eu-central-1");
      expect(service.counters.byRequest[`GET ${REGION}`]).toBeUndefined();
      for (const host of [
        { host: "169.254.169.254" },
        { hostname: "[fd00:ec2::254]" },
        { hostname: "169.254.169.254", host: "127.0.0.1" },
      ])
        expect(await ask(INSTANCE_ID, undefined, host)).toBe(service.identity.instanceId);
      // Neither is the token's path for another method, nor another path for that method.
      await expect(ask(TOKEN, "GET")).rejects.toMatchObject({ code: "ERR_INVALID_ARG_VALUE" });
      expect(await ask(INSTANCE_ID, "PUT")).toBe(service.identity.instanceId);
      await expect(module.httpRequest({ host: "169.254.169.254" })).rejects.toMatchObject({
        code: "ERR_INVALID_ARG_VALUE",
        message: expect.stringContaining('"/"') as string,
      });
      expect(asked).toEqual([]);
      expect(module.other).toBe(5);
    });
  });

  it("is given the configured region where nothing is attested", async () => {
    const env = { IMDS_GUARD_ATTESTATION: "off", AWS_REGION: "eu-west-1" };
    await withAttestedEnvironment({ env }, {}, async () => {
      const { module } = adapted();
      expect(String(await module.httpRequest({ host: "169.254.169.254", path: REGION }))).toBe("eu-west-1");
    });
  });

  it("asks anybody else as before", async () => {
    const { module, asked } = adapted();
    const others: RequestOptions[] = [
      { host: "127.0.0.1", path: TOKEN, method: "PUT" },
      { hostname: "127.0.0.1", host: "169.254.169.254" },
      { host: "169.254.170.2" },
      { path: "/" },
      { hostname: "[169.254.169.254" },
    ];
    for (const options of others) expect(String(await module.httpRequest(options))).toBe("from somebody else");
    expect(asked.every((options, index) => options === others[index])).toBe(true);
    expect(asked).toHaveLength(others.length);
  });

  it("gives credentials of the guard, without a mark of their source", async () => {
    await withAttestedEnvironment({}, {}, async (service) => {
      const provider = adapted().module.fromInstanceMetadata();
      const credentials = await provider();
      expect(credentials).toMatchObject({ accessKeyId: service.identity.accessKeyId });
      expect(credentials).not.toHaveProperty("$source");
      expect(await provider()).toEqual(credentials);
    });
  });

  it("gives them by the settings of the profile that the provider names", async () => {
    await withAttestedEnvironment(OFF, {}, async (service) => {
      const { fromInstanceMetadata } = adapted().module;
      await expect(fromInstanceMetadata()()).rejects.toMatchObject(DISABLED);
      expect(await fromInstanceMetadata({ profile: "on" })()).toMatchObject({
        accessKeyId: service.identity.accessKeyId,
      });
    });
  });
});

describe("providers that are the SDK's own", () => {
  const stranger = () => Promise.resolve({ accessKeyId: accessKeyIdFor("999988887777"), secretAccessKey: "s" });
  const factory = () => stranger;
  type Module = Readonly<Record<string, (init?: object) => (call?: object) => Promise<unknown>>>;
  const expecting = { env: { IMDS_GUARD_EXPECTED_ACCOUNTS: "111122223333" } };

  it.each<[string, (module: object) => object, string]>([
    ["defaultProvider", adaptDefaultChain, "the default chain"],
    ["fromIni", adaptProviders, "profile"],
    ["fromTemporaryCredentials", adaptProviders, "temporary credentials"],
  ])("%s is held against the expected accounts", async (name, adapt, link) => {
    const stock = { defaultProvider: factory, fromIni: factory, fromTemporaryCredentials: factory };
    const adapted = adapt({ ...stock, other: factory }) as Module;
    expect(adapted["other"]).toBe(factory);
    await withAttestedEnvironment(expecting, {}, async () => {
      await expect(adapted[name]?.()()).rejects.toMatchObject({
        code: "ERR_IMDS_ACCOUNT_UNEXPECTED",
        message: expect.stringContaining(`The credentials from ${link} belong to account 999988887777`) as string,
      });
    });
    await withAttestedEnvironment({}, {}, async () => {
      expect(await adapted[name]?.()()).toMatchObject(await stranger());
    });
  });

  it.each<[string, (module: object) => object, boolean]>([
    ["defaultProvider", adaptDefaultChain, false],
    ["fromIni", adaptProviders, true],
  ])(
    "%s is led to keys in a shared file, before those of the environment or behind them",
    async (name, adapt, before) => {
      const stock = { defaultProvider: factory, fromIni: factory, fromTemporaryCredentials: factory };
      const key = accessKeyIdFor("111122223333");
      const credentials = `[default]\naws_access_key_id = ${key}\naws_secret_access_key = s\naws_session_token = t\n`;
      const provider = (adapt(stock) as Module)[name]?.();
      expect(provider).toHaveProperty("memoized", true);
      await withAttestedEnvironment({ credentials }, {}, async () => {
        expect(await provider?.()).toMatchObject({ accessKeyId: key });
      });
      const env = { AWS_ACCESS_KEY_ID: "AKIA", AWS_SECRET_ACCESS_KEY: "s" };
      await withAttestedEnvironment({ credentials, env }, {}, async () => {
        expect(await provider?.()).toMatchObject({ accessKeyId: before ? key : (await stranger()).accessKeyId });
      });
    },
  );

  it("the chain by its name says that it remembers; it was not there in the first versions", async () => {
    const stock = { fromIni: factory, fromTemporaryCredentials: factory };
    const { fromNodeProviderChain } = adaptProviders({ ...stock, fromNodeProviderChain: factory }) as Module;
    const provider = fromNodeProviderChain?.();
    expect(provider).toHaveProperty("memoized", true);
    expect(await provider?.()).toEqual(await stranger());
    expect(adaptProviders(stock)).not.toHaveProperty("fromNodeProviderChain");
  });
});

describe("the metadata client", () => {
  interface Client {
    request(path: string, options?: object): Promise<string>;
    fetchMetadataToken(): Promise<string>;
  }
  const { MetadataService } = adaptMetadataClient({ MetadataService: () => undefined }) as {
    readonly MetadataService: new (init?: object) => Client;
  };

  it("is answered by the guard", async () => {
    await withAttestedEnvironment({}, {}, async (service) => {
      const client = new MetadataService();
      expect(await client.request(REGION, {})).toBe("eu-central-1");
      expect(await client.request(REGION)).toBe("eu-central-1");
      expect(service.counters.byRequest[`GET ${REGION}`]).toBeUndefined();
      expect(await client.request(INSTANCE_ID, { method: "GET" })).toBe(service.identity.instanceId);
      for (const token of [await client.request(TOKEN, { method: "PUT" }), await client.fetchMetadataToken()])
        expect(token).toMatch(/^[\w=-]{56}$/);
      // The word of the service itself, for whoever does not ask as the SDK does.
      expect(await client.request(REGION, { method: "HEAD" })).toBe("eu-central-1");
      expect(service.counters.byRequest[`GET ${REGION}`]).toBe(1);
    });
  });

  it("is answered by the settings of its profile", async () => {
    await withAttestedEnvironment(OFF, {}, async (service) => {
      const off = new MetadataService();
      await expect(off.request(INSTANCE_ID, {})).rejects.toMatchObject(DISABLED);
      await expect(off.fetchMetadataToken()).rejects.toMatchObject(DISABLED);
      const on = new MetadataService({ profile: "on" });
      expect(await on.request(INSTANCE_ID, {})).toBe(service.identity.instanceId);
      expect(await on.fetchMetadataToken()).toMatch(/^[\w=-]{56}$/);
    });
  });
});

describe("the class of the second major version", () => {
  type Callback = (error: unknown, data?: unknown) => void;
  interface Client {
    request(path: string, options: object | Callback, callback?: Callback): void;
    fetchMetadataToken(callback: Callback): void;
    loadCredentials(callback: Callback): void;
  }
  function stockClass(): new () => Client {
    return class {
      request(): void {}
      fetchMetadataToken(): void {}
      loadCredentials(): void {}
    };
  }
  const called = (ask: (callback: Callback) => void): Promise<unknown> =>
    new Promise((resolve, reject) => {
      ask((error, data) => {
        if (error === null) resolve(data);
        else reject(error as Error);
      });
    });

  it("is answered by the guard, in the instances that there are", async () => {
    const Stock = stockClass();
    const client = new Stock();
    expect(adaptSecondMajor(Stock)).toBe(Stock);
    await withAttestedEnvironment({}, {}, async (service) => {
      expect(await called((done) => client.request(REGION, done))).toBe("eu-central-1");
      expect(await called((done) => client.request(REGION, {}, done))).toBe("eu-central-1");
      expect(await called((done) => client.request(TOKEN, { method: "PUT" }, done))).toBe(HELD);
      expect(await called((done) => client.fetchMetadataToken(done))).toBe(HELD);
      expect(await called((done) => client.request(INSTANCE_ID, done))).toBe(service.identity.instanceId);
      const { accessKeyId, secretAccessKey, sessionToken } = service.identity;
      expect(await called((done) => client.loadCredentials(done))).toEqual({
        Code: "Success",
        Type: "AWS-HMAC",
        AccessKeyId: accessKeyId,
        SecretAccessKey: secretAccessKey,
        Token: sessionToken,
        Expiration: expect.stringMatching(/^\d{4}-\d{2}-\d{2}T[\d:.]+Z$/) as string,
      });
    });
  });

  it("is told of what went wrong", async () => {
    const Stock = stockClass();
    adaptSecondMajor(Stock);
    await withAttestedEnvironment(OFF, {}, async () => {
      await expect(called((done) => new Stock().request(INSTANCE_ID, done))).rejects.toMatchObject(DISABLED);
      await expect(called((done) => new Stock().loadCredentials(done))).rejects.toMatchObject(DISABLED);
    });
  });

  it("is changed in all of its methods, so that others can be put in their place", () => {
    const Stock = stockClass();
    const before = Object.getOwnPropertyDescriptors(Stock.prototype);
    adaptSecondMajor(Stock);
    for (const name of ["request", "fetchMetadataToken", "loadCredentials"] as const) {
      const own = Object.getOwnPropertyDescriptor(Stock.prototype, name);
      expect(own).toMatchObject({ writable: true, configurable: true, enumerable: true });
      expect(own?.value).not.toBe(before[name]?.value);
    }
  });

  it.each<[string, (prototype: object) => void, string]>([
    ["has no such method", (prototype) => Reflect.deleteProperty(prototype, "loadCredentials"), "loadCredentials"],
    [
      "makes one when it is read",
      (prototype) => Object.defineProperty(prototype, "request", { get: () => () => undefined }),
      "request",
    ],
    [
      "lets none be changed",
      (prototype) => Object.defineProperty(prototype, "fetchMetadataToken", { configurable: false }),
      "fetchMetadataToken",
    ],
  ])("is left as it is where it %s", (_, change, method) => {
    const { prototype } = stockClass() as { readonly prototype: object };
    change(prototype);
    const before = Object.getOwnPropertyDescriptors(prototype);
    expect(() => adaptSecondMajor({ prototype })).toThrow(
      new TypeError(`the class has no method ${method} that could be replaced`),
    );
    expect(Object.getOwnPropertyDescriptors(prototype)).toEqual(before);
  });

  it("is none where there is no prototype", () => {
    expect(() => adaptSecondMajor({})).toThrow(new TypeError("the class has no method request that could be replaced"));
  });
});

describe("http of the region lookup", () => {
  type Request = EventEmitter & { end(): Request; destroy(): Request };
  const guarded = guardedHttp(http) as typeof http & { readonly request: (options: RequestOptions) => Request };

  it("has all that it had, and nothing of it was read", () => {
    const unread = Object.defineProperty({ get: 5 }, "Agent", {
      get: () => {
        throw new Error("was read");
      },
    });
    const derived = guardedHttp(unread) as { readonly get: number; readonly request: unknown };
    expect([derived.get, typeof derived.request, Object.keys(derived)]).toEqual([5, "function", ["request"]]);
    expect(guarded.Agent).toBe(http.Agent);
    expect(guarded.request).not.toBe(http.request);
  });

  it("is answered by the guard, once for each request", async () => {
    await withAttestedEnvironment({}, {}, async () => {
      const request = guarded.request({ host: "169.254.169.254", path: REGION, method: "GET" });
      let responses = 0;
      request.on("response", () => (responses += 1));
      expect(request.end()).toBe(request);
      const [response] = (await once(request, "response")) as [
        NodeJS.ReadableStream & { readonly statusCode: number; readonly headers: object },
      ];
      expect(request.end()).toBe(request);
      expect([response.statusCode, response.headers, await text(response)]).toEqual([200, {}, "eu-central-1"]);
      const token = guarded.request({ path: TOKEN, method: "PUT" }).end();
      const [answer] = (await once(token, "response")) as [NodeJS.ReadableStream];
      expect(await text(answer)).toBe(HELD);
      const plain = guarded.request({ path: REGION }).end();
      expect(await text(((await once(plain, "response")) as [NodeJS.ReadableStream])[0])).toBe("eu-central-1");
      expect(responses).toBe(1);
    });
  });

  it("fails as a request does, and can be destroyed", async () => {
    await inScene({}, async () => {
      const request = guarded.request({});
      expect(request.destroy()).toBe(request);
      const failed = once(request.end(), "response");
      await expect(failed).rejects.toMatchObject({
        code: "ERR_INVALID_ARG_VALUE",
        message: expect.stringContaining('"/"') as string,
      });
    });
  });
});
