/** Which paths of the metadata service may be asked for by name. */
import { invalidArgument } from "./errors.js";

const METADATA_PATH = /^\/(latest|\d{4}-\d{2}-\d{2})\/(meta-data|dynamic|user-data)(\/[A-Za-z0-9._:@+=,-]*)*$/;
const CREDENTIAL_PATH = /\/(security-credentials|security-credentials-extended|identity-credentials)(\/|$)/;

/**
 * Lets through what holds metadata and no credentials.
 * @throws TypeError `ERR_INVALID_ARG_VALUE`
 */
export function checkMetadataPath(path: unknown): void {
  if (typeof path !== "string" || path.length > 512 || !METADATA_PATH.test(path) || /\/\.{1,2}(\/|$)/.test(path)) {
    throw invalidArgument(
      "path",
      path,
      "/latest/meta-data/..., /latest/dynamic/... or /latest/user-data, without query or dot segments",
    );
  }
  if (CREDENTIAL_PATH.test(path))
    throw invalidArgument("path", path, "any path without credentials; guard.credentials() returns those, checked");
}
