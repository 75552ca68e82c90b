/** Who gets what: the rules of the gateway's file, and the verdict on one request. */
import type { IpNetwork } from "../base/addresses.js";
import { inNetwork } from "../base/addresses.js";
import type { MetadataPath, PathGlob } from "./paths.js";
import { matchesGlob } from "./paths.js";

/** Who asks, as far as the kernel tells. */
export interface Caller {
  /** Numeric user id; undefined where it cannot be told, and for clients on a bridge. */
  readonly uid: number | undefined;
  readonly user: string | undefined;
  /** Groups of the user, by number. */
  readonly gids: readonly number[];
  readonly pid: number | undefined;
  readonly program: string | undefined;
  /** systemd unit, such as `amazon-ssm-agent.service`. */
  readonly unit: string | undefined;
  /** Id of the container, 64 hexadecimal digits. */
  readonly container: string | undefined;
  /** Address from which the request came. */
  readonly address: string;
  /** Set for clients on a bridge: its name. */
  readonly bridge: string | undefined;
}

/** One `[[rule]]`. A list that is undefined asks nothing. */
export interface GatewayRule {
  readonly users: readonly number[] | undefined;
  readonly groups: readonly number[] | undefined;
  readonly units: readonly string[] | undefined;
  /** Container ids by their first characters, or addresses and networks of clients on a bridge. */
  readonly containers: readonly (string | IpNetwork)[] | undefined;
  /** Undefined: everything but credentials, identity credentials and user data. */
  readonly paths: readonly PathGlob[] | undefined;
  /** Names of roles, true for any, false for none. */
  readonly role: readonly string[] | boolean;
  readonly userData: boolean;
}

/** What a request may have. */
export interface Verdict {
  readonly allowed: boolean;
  /** For credentials: which role, by name, or true for any. */
  readonly role: readonly string[] | true;
  /** Why, in words that stand behind "refused: ". */
  readonly reason: string;
  /** Which rule decided, counted from 1; 0 for the defaults. */
  readonly rule: number;
}

/** Users of the system below this number; `UID_MIN` of /etc/login.defs. */
export const DEFAULT_UID_MIN = 1_000;
/** Dynamic users of systemd units (systemd, "Users, Groups, UIDs and GIDs on systemd Systems"). */
const DYNAMIC_USERS = [61_184, 65_519] as const;

/** Whether a user is one of the system's, and so is served as without a gateway. */
export function isSystemUser(uid: number, uidMin: number): boolean {
  return uid < uidMin || (uid >= DYNAMIC_USERS[0] && uid <= DYNAMIC_USERS[1]);
}

/** The verdict on one request. The first rule that fits the caller decides alone; without one, the defaults do. */
export function judge(rules: readonly GatewayRule[], caller: Caller, path: MetadataPath, uidMin: number): Verdict {
  const index = rules.findIndex((rule) => fits(rule, caller));
  const rule = rules[index];
  return rule === undefined ? byDefault(caller, path, uidMin) : byRule(rule, index + 1, caller, path);
}

function byDefault(caller: Caller, path: MetadataPath, uidMin: number): Verdict {
  const { uid, bridge } = caller;
  const trusted = bridge === undefined && uid !== undefined && isSystemUser(uid, uidMin);
  const answer = (allowed: boolean, reason: string): Verdict => ({ allowed, role: true, reason, rule: 0 });
  if (path.kind === "identity-credentials")
    return answer(trusted && uid === 0, "identity credentials are for root alone");
  if (path.kind === "metadata" || path.kind === "token" || trusted) return answer(true, "");
  const who =
    bridge !== undefined ? "a client on a bridge" : uid === undefined ? "a caller that cannot be told" : "this user";
  return answer(false, `no rule gives ${who} ${path.kind === "credentials" ? "a role" : "user data"}`);
}

function byRule(rule: GatewayRule, number: number, caller: Caller, path: MetadataPath): Verdict {
  const role = rule.role === true ? true : rule.role === false ? [] : rule.role;
  const answer = (allowed: boolean, reason: string): Verdict => ({ allowed, role, reason, rule: number });
  switch (path.kind) {
    case "token":
      return answer(true, "");
    case "identity-credentials":
      return answer(caller.bridge === undefined && caller.uid === 0, "identity credentials are for root alone");
    case "credentials":
      return answer(rule.role !== false, `rule ${number} gives no role`);
    case "user-data":
      return answer(rule.userData, `rule ${number} gives no user data`);
    case "metadata":
      return answer(
        rule.paths === undefined || rule.paths.some((glob) => matchesGlob(glob, path.canonical)),
        `rule ${number} does not name this path`,
      );
  }
}

function fits(rule: GatewayRule, caller: Caller): boolean {
  const { uid, gids, unit, container, address, bridge } = caller;
  const local = bridge === undefined;
  // Who cannot be told, and a client on a bridge that is not named, is nobody that a rule was meant for.
  if (local ? uid === undefined : rule.containers === undefined) return false;
  if (rule.users !== undefined && !(local && uid !== undefined && rule.users.includes(uid))) return false;
  if (rule.groups !== undefined && !(local && rule.groups.some((gid) => gids.includes(gid)))) return false;
  if (rule.units !== undefined && !(unit !== undefined && rule.units.includes(unit))) return false;
  if (rule.containers === undefined) return true;
  return rule.containers.some((wanted) =>
    typeof wanted === "string"
      ? container?.startsWith(wanted) === true
      : !local && inNetwork(wanted, address.replace(/^::ffff:/, "")),
  );
}
