/**
 * The form of load-sdk.ts in a bundle, where the SDK is a part of it: by name, so that a bundler leaves out the rest, and at
 * once, so that nothing waits for another part of the bundle.
 */
import {
  fromContainerMetadata,
  fromEnv,
  fromHttp,
  fromIni,
  fromProcess,
  fromSSO,
  fromTemporaryCredentials,
  fromTokenFile,
} from "@aws-sdk/credential-providers";
import { CredentialsProviderError } from "@smithy/core/config";
import { getProfileName, parseKnownFiles } from "@smithy/shared-ini-file-loader";

const config = { CredentialsProviderError };
const providers = {
  fromContainerMetadata,
  fromEnv,
  fromHttp,
  fromIni,
  fromProcess,
  fromSSO,
  fromTokenFile,
};
const temporary = { fromTemporaryCredentials };
const iniFiles = { getProfileName, parseKnownFiles };

export const loadSdkConfig = (): Promise<typeof config> => Promise.resolve(config);

export const loadSdkProviders = (): Promise<typeof providers> => Promise.resolve(providers);

export const loadSdkTemporaryCredentials = (): Promise<typeof temporary> => Promise.resolve(temporary);

export const loadIniFiles = (): Promise<typeof iniFiles> => Promise.resolve(iniFiles);
