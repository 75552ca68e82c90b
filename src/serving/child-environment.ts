/** The environment of a program under the guard: every way to IMDS that its SDK can be told about is shut. */
import { requireOption, withNodeOption } from "../base/text.js";
import { CERTIFICATE_VARIABLES } from "../settings/certificate-names.js";
import { NOWHERE } from "../settings/endpoint.js";
import type { Environment } from "./credential-origin.js";

/** What the environment shall say besides. */
export interface ChildPlan {
  /** Profile that was asked for by name. */
  readonly profile?: string | undefined;
  /** Where credentials are served, if they are. */
  readonly served?: { readonly url: string; readonly token: string } | undefined;
  /** Region, where nothing else states one. */
  readonly region?: string | undefined;
  /** Shared config files that take the place of the usual ones. */
  readonly files?: { readonly config?: string | undefined; readonly credentials?: string | undefined } | undefined;
  /** Absolute path of the preload for Node.js programs. */
  readonly preload?: string | undefined;
}

/**
 * What shuts IMDS. No single one does in every SDK: the first is not looked at by several providers of the JavaScript
 * SDK, the second by those that speak IMDSv2, and the third leads whoever still asks to a closed port.
 */
const SHUT: Environment = {
  AWS_EC2_METADATA_DISABLED: "true",
  AWS_EC2_METADATA_V1_DISABLED: "true",
  AWS_EC2_METADATA_SERVICE_ENDPOINT: NOWHERE,
  // With a mode some SDKs would prefer the address of that mode.
  AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE: undefined,
};

const STATIC_KEYS = [
  "AWS_ACCESS_KEY_ID",
  "AWS_SECRET_ACCESS_KEY",
  "AWS_SESSION_TOKEN",
  "AWS_SECURITY_TOKEN",
  "AWS_CREDENTIAL_EXPIRATION",
];

/** Everything that SDKs prefer to a full URI with a token. */
const BEFORE_SERVED = [
  ...STATIC_KEYS,
  "AWS_ROLE_ARN",
  "AWS_WEB_IDENTITY_TOKEN_FILE",
  "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
  "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
  // A program under the preload would obtain a session of its own.
  ...CERTIFICATE_VARIABLES,
];

/** What has to change in `env`: a value to set, or undefined for a variable to remove. */
export function environmentChanges(env: Environment, plan: ChildPlan): Environment {
  const { profile, served, region, files, preload } = plan;
  const changes: Record<string, string | undefined> = { ...SHUT };
  if (profile !== undefined) {
    remove(changes, STATIC_KEYS);
    changes["AWS_PROFILE"] = profile;
    // An older name that some tools still look at first.
    if (env["AWS_DEFAULT_PROFILE"] !== undefined) changes["AWS_DEFAULT_PROFILE"] = profile;
  }
  if (served !== undefined) {
    remove(changes, BEFORE_SERVED);
    changes["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = served.url;
    changes["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = served.token;
    // A proxy must see neither request nor token. Python and Go send plain HTTP there even for loopback literals.
    changes["NO_PROXY"] = withLoopback(env["NO_PROXY"] ?? env["no_proxy"]);
    changes["no_proxy"] = withLoopback(env["no_proxy"] ?? env["NO_PROXY"]);
  }
  if (files?.config !== undefined) changes["AWS_CONFIG_FILE"] = files.config;
  if (files?.credentials !== undefined) changes["AWS_SHARED_CREDENTIALS_FILE"] = files.credentials;
  if (region !== undefined && !env["AWS_REGION"] && !env["AWS_DEFAULT_REGION"]) {
    changes["AWS_REGION"] = region;
    changes["AWS_DEFAULT_REGION"] = region;
  }
  if (preload !== undefined) changes["NODE_OPTIONS"] = withNodeOption(env["NODE_OPTIONS"], requireOption(preload));
  return Object.fromEntries(Object.entries(changes).filter(([name, value]) => env[name] !== value));
}

/** `env` with `changes` applied. */
export function applyChanges(env: Environment, changes: Environment): Record<string, string> {
  return Object.fromEntries(
    Object.entries({ ...env, ...changes }).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

function remove(changes: Record<string, string | undefined>, names: readonly string[]): void {
  for (const name of names) changes[name] = undefined;
}

function withLoopback(present: string | undefined): string {
  const hosts = (present ?? "")
    .split(",")
    .map((host) => host.trim())
    .filter((host) => host !== "");
  return hosts.includes("*") || hosts.includes("127.0.0.1") ? (present as string) : [...hosts, "127.0.0.1"].join(",");
}
