/**
 * What the SDK's own links have to read, told without loading them: loading takes longer than everything else in the
 * chain.
 */
import { statSync } from "node:fs";
import type { ConfigFileLocations } from "../settings/config-files.js";
import { locate } from "../settings/locations.js";
import type { System } from "../base/system.js";

/** Without both, `fromEnv` gives nothing. */
export function hasEnvironmentKeys({ env }: Pick<System, "env">): boolean {
  return Boolean(env["AWS_ACCESS_KEY_ID"] && env["AWS_SECRET_ACCESS_KEY"]);
}

/** Without both, `fromTokenFile` gives nothing. */
export function hasWebIdentity(
  init: { readonly webIdentityTokenFile?: string | undefined; readonly roleArn?: string | undefined },
  { env }: Pick<System, "env">,
): boolean {
  return Boolean(
    (init.webIdentityTokenFile ?? env["AWS_WEB_IDENTITY_TOKEN_FILE"]) && (init.roleArn ?? env["AWS_ROLE_ARN"]),
  );
}

/** Whether there may be a shared config or credentials file. Without any, `fromIni` and `fromProcess` give nothing. */
export function hasSharedFiles({ configFilepath, filepath }: ConfigFileLocations, system: System): boolean {
  return mayExist(locate("config", system, configFilepath)) || mayExist(locate("credentials", system, filepath));
}

function mayExist(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    // Whatever is wrong with it, it is for the SDK to say so.
    return true;
  }
}
