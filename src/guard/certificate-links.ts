/** Opens links, and keeps one for each way of asking, so that all callers of one guard share its session. */
import type { Settings } from "../settings/options.js";
import type { CertificateLink, LinkSurroundings } from "../roles-anywhere/life.js";
import { createRolesAnywhereLink } from "../roles-anywhere/life.js";
import { createIdentityLoader } from "../roles-anywhere/identity.js";
import type { Given } from "../roles-anywhere/given.js";
import type { AwsSide } from "./certificate-plan.js";
import { rolesAnywherePlan } from "./certificate-plan.js";

/** Default of the guard's `timeout` for this kind of link, in milliseconds: one session with its retries. */
export const SESSION_TIMEOUT_MS = 10_000;

/** The bounds that the guard's settings give. */
export function boundsOf(
  settings: Pick<Settings, "timeout" | "maxRetries" | "sources">,
): Pick<LinkSurroundings, "timeoutMs" | "maxRetries"> {
  const { timeout, maxRetries, sources } = settings;
  return {
    timeoutMs: Object.hasOwn(sources, "timeout") ? timeout : SESSION_TIMEOUT_MS,
    maxRetries,
  };
}

/**
 * A link to Roles Anywhere.
 * @throws RolesAnywhereError `ERR_ROLES_ANYWHERE_SETTINGS`
 */
export function openRolesAnywhere(given: Given, aws: AwsSide, surroundings: LinkSurroundings): CertificateLink {
  const { plan, sources } = rolesAnywherePlan(given, aws);
  return createRolesAnywhereLink(plan, createIdentityLoader(sources, surroundings), surroundings);
}
