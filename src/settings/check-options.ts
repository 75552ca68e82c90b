/** Options given in code: checked and copied at once, so that nothing vanishes and nothing changes afterwards. */
import { invalidArgument } from "../base/errors.js";
import { hasOwnKey, isPlainObject } from "../base/own-properties.js";
import { nearest } from "./nearest.js";
import type { GuardOptions } from "./options.js";
import type { CodeOnlyOption } from "./table.js";
import { parseSetting, SETTINGS } from "./table.js";

const OTHER_OPTIONS: readonly CodeOnlyOption[] = ["profile", "stsCa", "stsProxy", "onEvent", "logger"];

/**
 * The options as they are now, without a prototype, lists and certificates copied.
 * @throws TypeError with code `ERR_INVALID_ARG_VALUE` for what is no plain object (a promise, a Map, a class instance,
 * `null`), an unknown key, or a value that is not allowed
 */
export function snapshotOptions(options: GuardOptions): GuardOptions {
  if (!isPlainObject(options))
    throw invalidArgument("guard", options, "a plain object of options, or a guard that createGuard returned");
  const names: readonly string[] = [...SETTINGS.map((setting) => setting.name), ...OTHER_OPTIONS];
  const snapshot = Object.create(null) as Record<string, unknown>;
  for (const name of Object.getOwnPropertyNames(options)) {
    const value: unknown = (options as Record<string, unknown>)[name];
    if (value === undefined) continue;
    const setting = SETTINGS.find((candidate) => candidate.name === name);
    if (setting) {
      const parsed = parseSetting(setting, value);
      if (hasOwnKey(parsed, "allowed")) throw invalidArgument(`guard.${name}`, value, parsed.allowed);
      snapshot[name] = parsed.value;
    } else if (names.includes(name)) {
      snapshot[name] = value;
    } else {
      const near = nearest(name, names);
      throw invalidArgument("guard", name, `${near === undefined ? "" : `did you mean ${near}? `}${names.join(", ")}`);
    }
  }
  const { profile, stsCa, stsProxy, onEvent, logger } = snapshot;
  if (profile !== undefined && typeof profile !== "string")
    throw invalidArgument("guard.profile", profile, "a profile name");
  if (stsCa !== undefined && !isCertificate(stsCa)) throw invalidArgument("guard.stsCa", stsCa, "certificates in PEM");
  // Not shown: it may hold a password.
  if (stsProxy !== undefined && !isHttpProxy(stsProxy))
    throw invalidArgument("guard.stsProxy", {}, "http://[user:password@]host[:port]");
  if (onEvent !== undefined && typeof onEvent !== "function")
    throw invalidArgument("guard.onEvent", onEvent, "a function");
  if (logger !== undefined && (typeof logger !== "object" || logger === null || Array.isArray(logger)))
    throw invalidArgument("guard.logger", logger, "an object with debug, info, warn and error");
  return Object.freeze(snapshot) as GuardOptions;
}

function isCertificate(value: unknown): boolean {
  return typeof value === "string" && /^-----BEGIN CERTIFICATE-----\r?$/m.test(value);
}

function isHttpProxy(value: unknown): boolean {
  if (typeof value !== "string" || !URL.canParse(value)) return false;
  const { protocol, pathname, search, hash } = new URL(value);
  return protocol === "http:" && pathname === "/" && search === "" && hash === "";
}
