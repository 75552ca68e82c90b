/** Metadata by name: which paths may be asked for, and that nothing contradicts what the signed document states, too. */
import { DISTRUST } from "../base/advice.js";
import type { IdentityDocument } from "../attest/identity-document.js";
import { fact, ImdsImpersonationError, invalidArgument } from "../base/errors.js";
import { ownProperty } from "../base/own-properties.js";
import { printable } from "../base/text.js";

const METADATA_PATH = /^\/(latest|\d{4}-\d{2}-\d{2})\/(meta-data|dynamic|user-data)(\/[A-Za-z0-9._:@+=,-]*)*$/;
const CREDENTIAL_PATH = /\/(?:security|identity)-credentials(?:-extended)?(?:\/|$)/;

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

type Field = "instanceId" | "region" | "availabilityZone";

/** Only what an instance keeps for life. */
const PATHS: Readonly<Record<string, Field>> = {
  "meta-data/instance-id": "instanceId",
  "meta-data/placement/region": "region",
  "meta-data/placement/availability-zone": "availabilityZone",
};
const UNSIGNED_DOCUMENT = "dynamic/instance-identity/document";
const DOCUMENT_FIELDS = ["accountId", "instanceId", "region"] as const;

/**
 * Holds the answer to a GET of `path` (`/latest/...` or `/<date>/...`) against the document that was verified. The rest
 * of the metadata is signed by nobody and passes.
 *
 * @throws ImdsImpersonationError `ERR_IMDS_INSTANCE_MISMATCH`
 */
export function checkAgainstDocument(path: string, body: Buffer, document: IdentityDocument | undefined): void {
  if (document === undefined) return;
  const name = path.replace(/^\/[^/]+\//, "").replace(/\/$/, "");
  const field = ownProperty(PATHS, name);
  if (field !== undefined) compare(path, field, body.toString("utf8").trim(), document[field]);
  if (name === UNSIGNED_DOCUMENT) {
    const stated = objectIn(body);
    for (const each of DOCUMENT_FIELDS) compare(path, each, stated[each], document[each]);
  }
}

/** What is no object states nothing. */
function objectIn(body: Buffer): Readonly<Record<string, unknown>> {
  try {
    return (JSON.parse(body.toString("utf8")) ?? {}) as Record<string, unknown>;
  } catch {
    return {};
  }
}

function compare(path: string, field: string, stated: unknown, signed: string | undefined): void {
  if (stated === undefined || signed === undefined || stated === signed) return;
  throw new ImdsImpersonationError(
    "ERR_IMDS_INSTANCE_MISMATCH",
    `The metadata of IMDS contradicts the document that AWS signed: another ${field}`,
    {
      evidence: [
        fact(path, `IMDS states this ${field}`, printable(String(stated))),
        fact("instance identity document", `AWS signed this ${field}`, signed),
      ],
      advice: `Somebody relays the document of this instance, or has taken the address over since. ${DISTRUST}`,
    },
  );
}
