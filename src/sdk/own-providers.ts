/** Tells what the SDK's own providers cannot give, or would go on giving when it has ended. */
import { ownProperty } from "../base/own-properties.js";
import type { Guard } from "../guard/guard.js";
import { servicesOf } from "../guard/guard.js";
import { kindsInEnvironment } from "../settings/certificate-names.js";
import { certificateLinkOf, routeToCertificate } from "./ini.js";
import { hasEnvironmentKeys } from "./link-inputs.js";
import { toProviderError } from "./provider-error.js";
import { sharedKeysOf } from "./shared-keys.js";

/** Whose call it is. */
export interface Asked {
  /** Options of the provider. */
  readonly init: object | undefined;
  /** Profile that code names. */
  readonly profile: string | undefined;
  readonly call: { readonly forceRefresh?: boolean } | undefined;
}

/**
 * Whether the credentials asked for are named by a certificate, or are keys that stand in a shared file.
 * @throws CredentialsProviderError where settings or files cannot be used
 */
export async function isForOwn(kind: "profile" | "chain", guard: Guard, asked: Asked): Promise<boolean> {
  const init = asked.init as Readonly<Record<string, unknown>> | undefined;
  try {
    const services = await servicesOf(guard);
    const { env } = services.system;
    const named = asked.profile || env["AWS_PROFILE"];
    const name = services.settings.profile;
    if (kind === "chain") {
      if (asked.profile === undefined && kindsInEnvironment(env).length > 0) return true;
      // What comes before profiles in the default chain.
      if (!named && hasEnvironmentKeys(services.system)) return false;
      if (SSO.some((name) => ownProperty(init, name))) return false;
    }
    const filepath = ownProperty(init, "filepath") as string | undefined;
    const configFilepath = ownProperty(init, "configFilepath") as string | undefined;
    const keys = sharedKeysOf(services, name, { filepath, configFilepath });
    const forced = ownProperty(asked.call, "forceRefresh") === true;
    const { profiles } = keys.look(forced);
    // Files that cannot be read now hold nothing else than before.
    if (profiles !== undefined) {
      const way = routeToCertificate(profiles, name);
      // A chain does not go on to the instance from there, whoever obtains the credentials.
      if (way !== undefined)
        return kind === "chain" || (await certificateLinkOf(guard, profiles, way, asked.profile)) !== undefined;
    }
    return (await keys.get(forced)) !== undefined;
  } catch (error) {
    throw await toProviderError(error, undefined, false);
  }
}

const SSO = ["ssoStartUrl", "ssoAccountId", "ssoRegion", "ssoRoleName", "ssoSession"] as const;
