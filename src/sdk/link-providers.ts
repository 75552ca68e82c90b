/**
 * What asks links of the SDK's chain, in one module, so that Node.js can load it with the first call; who asks IMDS alone
 * needs none of it.
 */
export { fromNodeProviderChain } from "./node-chain.js";
export { fromIni } from "./ini.js";
export { fromRolesAnywhere } from "./roles-anywhere.js";
export { fromIotRoleAlias } from "./iot-role-alias.js";
export { fromTemporaryCredentials } from "./temporary-credentials.js";
export { clientConfig } from "./client-config.js";
