/**
 * The AWS SDK's modules, none of which is loaded before it is needed. In dist this is `require`: it takes what the
 * application has loaded already, where `import()` would read and scan every file of the SDK once more.
 */
import { unadapted } from "./adapted-modules.js";

let config: Promise<typeof import("@smithy/core/config")> | undefined;
let providers: Promise<typeof import("@aws-sdk/credential-providers")> | undefined;
let iniFiles: Promise<typeof import("@smithy/shared-ini-file-loader")> | undefined;

/** `CredentialsProviderError` and its relatives. */
export const loadSdkConfig = (): NonNullable<typeof config> => (config ??= import("@smithy/core/config"));

/** The credential providers of the SDK. */
export const loadSdkProviders = (): NonNullable<typeof providers> =>
  (providers ??= import("@aws-sdk/credential-providers").then(unadapted));

/** What assumes a role for an application. In a bundle it comes with those who use it. */
export const loadSdkTemporaryCredentials = (): NonNullable<typeof providers> => loadSdkProviders();

/** The reader of shared config files. */
export const loadIniFiles = (): NonNullable<typeof iniFiles> => (iniFiles ??= import("@smithy/shared-ini-file-loader"));
