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
import type { AwsCredentialIdentity, AwsCredentialIdentityProvider, Endpoint as ParsedEndpoint, Logger } from "@smithy/types";
import type { RequestOptions } from "node:http";
import { IMDS_IPV4, IMDS_IPV6, isImdsAddress } from "../addresses.js";
import { ImdsRefusedError } from "../errors.js";
import { fromInstanceMetadata as guarded } from "./instance-metadata.js";

/** Variables that name a container credentials endpoint. */
export const ENV_CMDS_FULL_URI = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
export const ENV_CMDS_RELATIVE_URI = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
export const ENV_CMDS_AUTH_TOKEN = "AWS_CONTAINER_AUTHORIZATION_TOKEN";

/** Milliseconds; the SDK's default for the container provider. */
export const DEFAULT_TIMEOUT = 1000;
/** The SDK's default for the container provider. */
export const DEFAULT_MAX_RETRIES = 0;

/** Bounds of the container provider. */
export interface RemoteProviderConfig {
  /** Milliseconds for a connection. */
  timeout: number;
  maxRetries: number;
}

/** Options of both providers, as the SDK has them. */
export interface RemoteProviderInit extends Partial<RemoteProviderConfig> {
  logger?: Logger;
  /** Has no effect: IMDSv1 is never used. */
  ec2MetadataV1Disabled?: boolean;
  profile?: string;
}

/** Credentials whose end an outage of IMDS may have extended. */
export interface InstanceMetadataCredentials extends AwsCredentialIdentity {
  readonly originalExpiration?: Date;
}

/** The two addresses of IMDS as URLs. */
export const Endpoint = { IPv4: `http://${IMDS_IPV4}`, IPv6: `http://[${IMDS_IPV6}]` } as const;

/** Fills in the defaults. */
export const providerConfigFromInit = ({ maxRetries = DEFAULT_MAX_RETRIES, timeout = DEFAULT_TIMEOUT }: RemoteProviderInit): RemoteProviderConfig => ({
  maxRetries,
  timeout,
});

/** Credentials of the instance role through a guard whose settings come from environment and profile. */
export const fromInstanceMetadata = (init: RemoteProviderInit = {}): AwsCredentialIdentityProvider => {
  const provider = guarded(init);
  return async (call) => {
    // The SDK's callers of this package set their own marks.
    const { $source: _, ...credentials } = (await provider(call)) as AwsCredentialIdentity & { $source?: unknown };
    return credentials;
  };
};

/** The SDK's container credentials provider, unchanged. */
export const fromContainerMetadata: (init?: RemoteProviderInit) => AwsCredentialIdentityProvider = stockFromContainerMetadata;

/** The endpoint that the SDK's settings name. Reads settings, asks nobody. */
export const getInstanceMetadataEndpoint: () => Promise<ParsedEndpoint> = stockGetInstanceMetadataEndpoint;

/**
 * The SDK's bare HTTP request, which is not for IMDS here.
 * @throws ImdsRefusedError `ERR_IMDS_CONNECTION_BLOCKED` for a metadata address
 */
export function httpRequest(options: RequestOptions): Promise<Buffer> {
  const host = (options.hostname ?? options.host ?? "").replace(/^\[(.+)\]$/, "$1");
  if (!isImdsAddress(host)) return stockHttpRequest(options);
  return Promise.reject(
    new ImdsRefusedError("ERR_IMDS_CONNECTION_BLOCKED", `A bare HTTP request to ${host} was refused`, {
      evidence: [{ source: "httpRequest", value: host, says: "an address of the instance metadata service" }],
      advice: "Use MetadataService of imds-guard, which decides, pins and proves before it asks.",
    }),
  );
}
