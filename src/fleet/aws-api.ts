/**
 * The AWS SDK's own clients, which are loaded when a command needs them, behind two functions: one call, and the pages of
 * a list. Retries, pagination, endpoints (`AWS_ENDPOINT_URL`) and rates are the SDK's.
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import type { AwsCredentialIdentityProvider } from "@smithy/types";
import { OWN_FOLDER } from "../base/own-folder.js";

/** Services that are asked, and the packages that speak to them. */
const PACKAGES = {
  ec2: ["@aws-sdk/client-ec2", "EC2Client"],
  cloudwatch: ["@aws-sdk/client-cloudwatch", "CloudWatchClient"],
  autoscaling: ["@aws-sdk/client-auto-scaling", "AutoScalingClient"],
  iam: ["@aws-sdk/client-iam", "IAMClient"],
  sts: ["@aws-sdk/client-sts", "STSClient"],
} as const;

/** A service, by the prefix of its actions in IAM. */
export type Service = keyof typeof PACKAGES;

/** What AWS answers: an object whose members are looked at one by one, because those of tomorrow are not known. */
export type Answer = Readonly<Record<string, unknown>>;

interface Client {
  readonly send: (command: object, options: object) => Promise<unknown>;
  readonly config: { readonly requestHandler: Handler };
}

interface Handler {
  readonly destroy?: () => void;
}

type Constructor<T> = new (input: object) => T;
type Paginate = (config: object, input: object, options: object) => AsyncIterable<unknown>;

/** Packages of the SDK that are not installed. */
export class MissingPackagesError extends Error {
  override readonly name = "MissingPackagesError";
  readonly code = "ERR_FLEET_PACKAGES";
  /** What to run. */
  readonly advice: string;
  constructor(packages: readonly string[], options?: ErrorOptions) {
    super(`this command asks AWS through the AWS SDK, and ${packages.join(", ")} cannot be loaded`, options);
    this.advice = `npm install ${packages.join(" ")}`;
  }
}

/** What is asked of AWS with one set of credentials in one region. */
export interface AwsApi {
  /**
   * One call.
   * @throws the SDK's error
   */
  readonly call: (service: Service, name: string, input: object) => Promise<Answer>;
  /**
   * A list, a page at a time.
   * @throws the SDK's error
   */
  readonly pages: (service: Service, name: string, input: object) => AsyncIterable<Answer>;
}

/** Makes {@link AwsApi}s that share their connections. */
export interface AwsApis {
  readonly open: (region: string, credentials: AwsCredentialIdentityProvider) => AwsApi;
  /** Calls and pages so far. */
  readonly calls: () => number;
  readonly close: () => void;
}

/** A connection, and a request from its first byte to its last, take no longer than so many milliseconds. */
const CONNECT_MS = 5_000;
const REQUEST_MS = 30_000;
/** One call with all its retries, or one page. */
const CALL_MS = 120_000;
const MAX_SOCKETS = 64;

/**
 * Loads the packages for `services`.
 * @throws MissingPackagesError
 */
export function loadAwsApis(services: readonly Service[], signal: AbortSignal): AwsApis {
  const modules = load(services);
  let handler: Handler | undefined;
  let calls = 0;

  function clientFor(service: Service, region: string, credentials: AwsCredentialIdentityProvider): Client {
    const Ctor = modules.get(service)?.[PACKAGES[service][1]] as Constructor<Client>;
    const client = new Ctor({
      region,
      credentials,
      requestHandler: handler ?? {
        connectionTimeout: CONNECT_MS,
        requestTimeout: REQUEST_MS,
        throwOnRequestTimeout: true,
        httpAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
        httpsAgent: { keepAlive: true, maxSockets: MAX_SOCKETS },
      },
    });
    handler ??= client.config.requestHandler;
    return client;
  }

  return {
    open(region, credentials) {
      const clients = new Map<Service, Client>();
      const of = (service: Service): Client => {
        let client = clients.get(service);
        if (client === undefined) clients.set(service, (client = clientFor(service, region, credentials)));
        return client;
      };
      return {
        async call(service, name, input) {
          calls += 1;
          const Command = modules.get(service)?.[`${name}Command`] as Constructor<object>;
          return (await of(service).send(new Command(input), { abortSignal: within(signal) })) as Answer;
        },
        async *pages(service, name, input) {
          const paginate = modules.get(service)?.[`paginate${name}`] as Paginate;
          // The SDK hands the options to each call as they are, so that the signal has to be one of its own each time.
          const options = {
            get abortSignal() {
              return within(signal);
            },
          };
          for await (const page of paginate({ client: of(service), stopOnSameToken: true }, input, options)) {
            calls += 1;
            yield page as Answer;
          }
        },
      };
    },
    calls: () => calls,
    close: () => handler?.destroy?.(),
  };
}

function within(signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(CALL_MS)]);
}

function load(services: readonly Service[]): Map<Service, Readonly<Record<string, unknown>>> {
  // Only from where this package is: a folder in which somebody happens to stand has no say in what runs.
  const require = createRequire(join(OWN_FOLDER ?? "/", "fleet.cjs"));
  const loaded = new Map<Service, Readonly<Record<string, unknown>>>();
  const missing: string[] = [];
  let cause: unknown;
  for (const service of services) {
    const [name] = PACKAGES[service];
    try {
      loaded.set(service, require(name) as Readonly<Record<string, unknown>>);
    } catch (error) {
      missing.push(name);
      cause = error;
    }
  }
  if (missing.length > 0) throw new MissingPackagesError(missing, { cause });
  return loaded;
}
