/** Metadata paths as the service reads them, and the globs of rules over them. */

/** Longest path that is looked at, in characters. The service's own are below 200. */
export const MAX_PATH = 1_024;

const VERSION = /^(?:latest|1\.0|\d{4}-\d{2}-\d{2})$/;
const SEGMENT = /^[A-Za-z0-9._:@+=,~*-]+$/;

/** What kind of answer a path has, for rules that treat some of them apart. */
export type PathKind = "metadata" | "credentials" | "identity-credentials" | "user-data" | "token";

/** A path that was understood. */
export interface MetadataPath {
  /** As rules see it: behind `/latest/`, without doubled slashes, without the slash at its end. */
  readonly canonical: string;
  /** As the service is asked: behind `/latest/`, a slash at its end kept. */
  readonly requested: string;
  readonly kind: PathKind;
}

/**
 * Reads the target of a request. Doubled slashes are one, as for the service; another version counts as `latest`.
 * Percent-encoding is decoded once, and what it hides has to be a path all the same: dot segments, further encodings,
 * queries, absolute URLs and characters that no path of the service has are refused.
 */
export function readPath(target: string): MetadataPath | undefined {
  if (target.length > MAX_PATH || !target.startsWith("/")) return undefined;
  const decoded = decodeOnce(target);
  if (decoded === undefined) return undefined;
  const segments = decoded.split("/").filter((segment) => segment !== "");
  if (segments.some((segment) => segment === "." || segment === ".." || !SEGMENT.test(segment))) return undefined;
  const [version, ...rest] = segments;
  if (version !== undefined && !VERSION.test(version)) return undefined;
  const canonical = version === undefined ? "/" : ["", "latest", ...rest].join("/");
  const requested = decoded.endsWith("/") && canonical !== "/" ? `${canonical}/` : canonical;
  // The service tells capitals apart; one that did not must give away nothing that way.
  return { canonical, requested, kind: kindOf(rest.map((segment) => segment.toLowerCase())) };
}

function decodeOnce(target: string): string | undefined {
  if (!target.includes("%")) return target;
  try {
    return decodeURIComponent(target);
  } catch {
    return undefined;
  }
}

function kindOf([category, ...rest]: readonly string[]): PathKind {
  if (category === "user-data") return "user-data";
  if (category === "api" && rest[0] === "token") return "token";
  if (category !== "meta-data") return "metadata";
  // The service has an extended form of the other kind; should it get one of this, nobody shall have it by default.
  if (rest[0] === "identity-credentials" || rest[0] === "identity-credentials-extended") return "identity-credentials";
  const isRole =
    rest[0] === "iam" && (rest[1] === "security-credentials" || rest[1] === "security-credentials-extended");
  return isRole ? "credentials" : "metadata";
}

/** A glob over canonical paths: its segments. */
export type PathGlob = readonly string[];

const ANY_DEPTH = "**";

/**
 * Reads a glob: `*` stays within a segment, `**` as a segment spans any number of them, none included. It has to begin
 * with `/latest/`, and a slash at its end says nothing. Undefined where it cannot match any path.
 */
export function readGlob(text: string): PathGlob | undefined {
  if (text.length > MAX_PATH || !/^\/latest(?:\/|$)/.test(text) || text.includes("//")) return undefined;
  const segments = text.replace(/\/$/, "").slice(1).split("/");
  const allowed = (segment: string): boolean =>
    segment === ANY_DEPTH ||
    (SEGMENT.test(segment) && !segment.includes(ANY_DEPTH) && segment !== "." && segment !== "..");
  return segments.every(allowed) ? segments : undefined;
}

/** Whether a canonical path matches, in at most as many steps as both have characters, multiplied. */
export function matchesGlob(glob: PathGlob, canonical: string): boolean {
  const segments = canonical === "/" ? [] : canonical.slice(1).split("/");
  return matches(glob, segments, ANY_DEPTH, (wanted, segment) =>
    wanted.includes("*") ? matches(wanted, segment, "*", (a, b) => a === b) : wanted === segment,
  );
}

/** Matching with a wildcard for any number of items: what the last wildcard spans grows until the rest fits. */
function matches(
  wanted: ArrayLike<string>,
  actual: ArrayLike<string>,
  wildcard: string,
  same: (wanted: string, actual: string) => boolean,
): boolean {
  let at = 0;
  let position = 0;
  let wildcardAt = -1;
  let spanned = 0;
  while (position < actual.length) {
    if (wanted[at] === wildcard) {
      wildcardAt = at++;
      spanned = position;
    } else if (at < wanted.length && same(wanted[at]!, actual[position]!)) {
      at += 1;
      position += 1;
    } else if (wildcardAt !== -1) {
      at = wildcardAt + 1;
      position = ++spanned;
    } else return false;
  }
  while (wanted[at] === wildcard) at += 1;
  return at === wanted.length;
}
