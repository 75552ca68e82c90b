/** The three ARNs of a Roles Anywhere session, which have to agree before anything is sent. */
import { fact, RolesAnywhereError } from "../base/errors.js";
import { printable } from "../base/text.js";

/** The parts of an ARN that matter here. */
export interface Arn {
  readonly partition: string;
  /** Empty for IAM. */
  readonly region: string;
  /** 12 digits. */
  readonly account: string;
  /** What follows the last colon. */
  readonly resource: string;
}

/** How each is written, for messages and documentation. */
export const ARN_FORMS = {
  trustAnchorArn: "arn:PARTITION:rolesanywhere:REGION:ACCOUNT:trust-anchor/ID",
  profileArn: "arn:PARTITION:rolesanywhere:REGION:ACCOUNT:profile/ID",
  roleArn: "arn:PARTITION:iam::ACCOUNT:role/[PATH/]NAME",
} as const;

const PATTERNS: Readonly<Record<keyof typeof ARN_FORMS, RegExp>> = {
  trustAnchorArn: /^arn:(aws(?:-[a-z]+)*):rolesanywhere:([a-z0-9-]{1,32}):(\d{12}):(trust-anchor\/[A-Za-z0-9-]{1,64})$/,
  profileArn: /^arn:(aws(?:-[a-z]+)*):rolesanywhere:([a-z0-9-]{1,32}):(\d{12}):(profile\/[A-Za-z0-9-]{1,64})$/,
  // Paths may hold any printable ASCII character (IAM API reference, CreateRole); names are at most 64 characters.
  roleArn: /^arn:(aws(?:-[a-z]+)*):iam:()?:(\d{12}):(role\/(?:[\x21-\x7e]{1,510}\/)?[\w+=,.@-]{1,64})$/,
};

/** The three, as settings have them. */
export interface SessionArns {
  readonly trustAnchorArn: string;
  readonly profileArn: string;
  readonly roleArn: string;
}

/** The three, read. */
export interface ReadArns {
  readonly trustAnchor: Arn;
  readonly profile: Arn;
  readonly role: Arn;
}

/**
 * Reads and compares them. `names` says how the user wrote each.
 * @throws RolesAnywhereError `ERR_ROLES_ANYWHERE_SETTINGS` naming what disagrees
 */
export function readArns(arns: SessionArns, names: Readonly<Record<keyof SessionArns, string>>): ReadArns {
  const read = (which: keyof SessionArns): Arn => {
    const arn = parseArn(which, arns[which]);
    if (arn === undefined)
      throw settingsError(
        `${names[which]} is ${printable(arns[which], 200)}; allowed: ${ARN_FORMS[which]}`,
        names[which],
      );
    return arn;
  };
  const trustAnchor = read("trustAnchorArn");
  const profile = read("profileArn");
  const role = read("roleArn");
  const agree = (part: "partition" | "region" | "account", other: Arn, which: keyof SessionArns): void => {
    if (other[part] === trustAnchor[part]) return;
    throw settingsError(
      `${names[which]} is of ${part} ${printable(other[part])}, and ${names.trustAnchorArn} of ${printable(trustAnchor[part])}`,
      names[which],
      "Trust anchor, profile and role have to be of one partition and one account, trust anchor and profile of one region.",
    );
  };
  agree("partition", profile, "profileArn");
  agree("partition", role, "roleArn");
  agree("region", profile, "profileArn");
  agree("account", profile, "profileArn");
  agree("account", role, "roleArn");
  return { trustAnchor, profile, role };
}

/** The parts of an ARN of this kind, or undefined. */
export function parseArn(which: keyof SessionArns, text: string): Arn | undefined {
  const match = PATTERNS[which].exec(text);
  if (!match) return undefined;
  const [, partition = "", region = "", account = "", resource = ""] = match;
  return { partition, region, account, resource };
}

/** The name of a role, without its path. */
export function roleNameOf(role: Arn): string {
  return role.resource.slice(role.resource.lastIndexOf("/") + 1);
}

/** A setting that cannot work. */
export function settingsError(message: string, source: string, advice?: string, cause?: unknown): RolesAnywhereError {
  return new RolesAnywhereError("ERR_ROLES_ANYWHERE_SETTINGS", message, {
    evidence: [fact(source, "cannot be used as written")],
    advice: advice ?? `Correct ${source}.`,
    cause,
  });
}
