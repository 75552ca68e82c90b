/** The region that somebody configured, checked, and the error where there is none. */
import type { Evidence } from "../base/errors.js";
import { ImdsUnavailableError, settingError } from "../base/errors.js";
import type { ConfiguredRegion } from "../aws/region.js";
import { isConfiguredRegion } from "../aws/region.js";
import { complaint } from "../settings/table.js";

/**
 * A region from a setting goes into host names, so it has to look like one. @throws ImdsGuardSettingsError
 * `ERR_IMDS_GUARD_SETTING`
 */
export function checkedRegion(region: string): ConfiguredRegion {
  if (isConfiguredRegion(region)) return region;
  const setting = "The configured region (AWS_REGION, AWS_DEFAULT_REGION or profile key region)";
  const form = "a region name such as eu-central-1, or another label of a host name";
  throw settingError(complaint(setting, region, form), "Correct it where it is set.");
}

/** The error where neither a setting nor a signed document tells a region, because IMDS is not asked for `refused`. */
export function noRegion(refused?: {
  readonly reason: string;
  readonly evidence: readonly Evidence[];
}): ImdsUnavailableError {
  if (refused !== undefined)
    return new ImdsUnavailableError(
      "ERR_IMDS_NO_REGION",
      `No region is configured, and IMDS was not asked for one: ${refused.reason}`,
      { evidence: () => refused.evidence, advice: "Set AWS_REGION, or the profile key region." },
    );
  return new ImdsUnavailableError("ERR_IMDS_NO_REGION", "No region is configured, and no signed document tells one", {
    advice:
      "Set AWS_REGION or the profile key region; or leave attestation on, so that the signed identity document can tell it.",
  });
}
