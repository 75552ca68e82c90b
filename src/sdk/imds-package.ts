/**
 * Stands in for `@smithy/credential-provider-imds`: the same exported names, with IMDS behind a guard. Made for npm
 * `overrides` and for the preload, so that code which imports the SDK's package by name gets this one.
 * The container provider is the SDK's own code, bundled (Apache-2.0, see NOTICE).
 * @module imds-guard/credential-provider-imds
 */
import {
  fromContainerMetadata as stockFromContainerMetadata,
  getInstanceMetadataEndpoint as stockGetInstanceMetadataEndpoint,
  httpRequest as stockHttpRequest,
} from "@smithy/credential-provider-imds";
import type {
  AwsCredentialIdentity,
  AwsCredentialIdentityProvider,
  Endpoint as ParsedEndpoint,
  Logger,
} from "@smithy/types";
import type { RequestOptions } from "node:http";
import { IMDS_IPV4, IMDS_IPV6 } from "../base/addresses.js";
import { refusingImds } from "./bare-request.js";
import { guardOf } from "./guard-option.js";
import { instanceProvider } from "./instance-metadata.js";

/**
 * Variable that names a container credentials endpoint by its whole URL.
 *
 * @example
 * ```ts
 * import { ENV_CMDS_FULL_URI } from "imds-guard/credential-provider-imds";
 * console.log(process.env[ENV_CMDS_FULL_URI]);
 * ```
 */
export const ENV_CMDS_FULL_URI = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
/**
 * Variable that names one by its path on the container host of ECS.
 *
 * @example
 * ```ts
 * import { ENV_CMDS_FULL_URI, ENV_CMDS_RELATIVE_URI } from "imds-guard/credential-provider-imds";
 * const inContainer = ENV_CMDS_RELATIVE_URI in process.env || ENV_CMDS_FULL_URI in process.env;
 * ```
 */
export const ENV_CMDS_RELATIVE_URI = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
/**
 * Variable that holds what is sent there as `Authorization`. A secret.
 *
 * @example
 * ```ts
 * import { ENV_CMDS_AUTH_TOKEN } from "imds-guard/credential-provider-imds";
 * console.log(ENV_CMDS_AUTH_TOKEN in process.env ? "a token is set" : "no token is set");
 * ```
 */
export const ENV_CMDS_AUTH_TOKEN = "AWS_CONTAINER_AUTHORIZATION_TOKEN";

/**
 * Milliseconds; the SDK's default for the container provider.
 *
 * @example
 * ```ts
 * import { DEFAULT_TIMEOUT, fromContainerMetadata } from "imds-guard/credential-provider-imds";
 * const credentials = fromContainerMetadata({ timeout: 2 * DEFAULT_TIMEOUT });
 * ```
 */
export const DEFAULT_TIMEOUT = 1000;
/**
 * Tries after the first; the SDK's default for the container provider.
 *
 * @example
 * ```ts
 * import { DEFAULT_MAX_RETRIES, fromContainerMetadata } from "imds-guard/credential-provider-imds";
 * const credentials = fromContainerMetadata({ maxRetries: DEFAULT_MAX_RETRIES + 1 });
 * ```
 */
export const DEFAULT_MAX_RETRIES = 0;

/** Bounds of the container provider. */
export interface RemoteProviderConfig {
  /** Milliseconds for a connection. */
  timeout: number;
  /** Tries after the first. */
  maxRetries: number;
}

/** Options of both providers, as the SDK has them. */
export interface RemoteProviderInit extends Partial<RemoteProviderConfig> {
  logger?: Logger;
  /** Has no effect: IMDSv1 is never used. */
  ec2MetadataV1Disabled?: boolean;
  /** Name of the shared config profile. Default: `AWS_PROFILE`, else `default`. */
  profile?: string;
}

/** Credentials whose end an outage of IMDS may have extended. */
export interface InstanceMetadataCredentials extends AwsCredentialIdentity {
  readonly originalExpiration?: Date;
}

/**
 * The two addresses of IMDS as URLs.
 *
 * @example
 * ```ts
 * import { Endpoint } from "imds-guard/credential-provider-imds";
 * console.log(new URL(Endpoint.IPv6).hostname); // [fd00:ec2::254]
 * ```
 */
export const Endpoint = { IPv4: `http://${IMDS_IPV4}`, IPv6: `http://[${IMDS_IPV6}]` } as const;

/**
 * Fills in the defaults.
 *
 * @example
 * ```ts
 * import { providerConfigFromInit } from "imds-guard/credential-provider-imds";
 * console.log(providerConfigFromInit({ timeout: 500 })); // { maxRetries: 0, timeout: 500 }
 * ```
 */
export const providerConfigFromInit = ({
  maxRetries = DEFAULT_MAX_RETRIES,
  timeout = DEFAULT_TIMEOUT,
}: RemoteProviderInit): RemoteProviderConfig => ({
  maxRetries,
  timeout,
});

/**
 * Credentials of the instance role through a guard whose settings come from environment and profile.
 *
 * @example
 * ```ts
 * import { S3Client } from "@aws-sdk/client-s3";
 * import { fromInstanceMetadata } from "imds-guard/credential-provider-imds";
 * const s3 = new S3Client({ region: "eu-central-1", credentials: fromInstanceMetadata() });
 * ```
 * @throws CredentialsProviderError that is also an `ImdsGuardError`
 */
export const fromInstanceMetadata = (init: RemoteProviderInit = {}): AwsCredentialIdentityProvider => {
  // Whoever gets it by the SDK's name for it may keep errors to themselves, as the SDK's chain does.
  const provider = instanceProvider(guardOf(init, true), init);
  return async (call) => {
    // The SDK's callers of this package set their own marks.
    const { $source: _, ...credentials } = (await provider(call)) as AwsCredentialIdentity & { $source?: unknown };
    return credentials;
  };
};

/**
 * The SDK's container credentials provider, unchanged.
 *
 * @example
 * ```ts
 * import { fromContainerMetadata } from "imds-guard/credential-provider-imds";
 * const { accessKeyId } = await fromContainerMetadata()();
 * console.log(accessKeyId);
 * ```
 * @throws CredentialsProviderError where no container endpoint is named, or it does not serve
 */
export const fromContainerMetadata: (init?: RemoteProviderInit) => AwsCredentialIdentityProvider =
  stockFromContainerMetadata;

/**
 * The endpoint that the SDK's settings name. Reads settings, asks nobody.
 *
 * @example
 * ```ts
 * import { getInstanceMetadataEndpoint } from "imds-guard/credential-provider-imds";
 * const { protocol, hostname, port } = await getInstanceMetadataEndpoint();
 * console.log(protocol, hostname, port);
 * ```
 */
export const getInstanceMetadataEndpoint: () => Promise<ParsedEndpoint> = stockGetInstanceMetadataEndpoint;

/**
 * The SDK's bare HTTP request, which is not for IMDS here.
 *
 * @example
 * ```ts
 * import { httpRequest } from "imds-guard/credential-provider-imds";
 * const body = await httpRequest({ host: "127.0.0.1", port: 8080, path: "/credentials" });
 * console.log(JSON.parse(body.toString("utf8")));
 * ```
 * @throws ImdsRefusedError `ERR_IMDS_CONNECTION_BLOCKED` for a metadata address, however it is written, and a name that
 *   leads to one
 */
export async function httpRequest(options: RequestOptions): Promise<Buffer> {
  const held = refusingImds(options);
  try {
    return await stockHttpRequest(held.options);
  } catch (error) {
    // The SDK makes an error of its own of each.
    throw held.refusal() ?? error;
  }
}
