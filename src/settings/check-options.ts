/** Options given in code: checked and copied at once, so that nothing vanishes and nothing changes afterwards. */
import { invalidArgument } from "../base/errors.js";
import { hasOwnKey, isPlainObject } from "../base/own-properties.js";
import { nearest } from "./nearest.js";
import type { GuardOptions } from "./options.js";
import type { CodeOnlyOption } from "./table.js";
import { parseSetting, SETTINGS } from "./table.js";

/** What else code may pass: whether a value is allowed, and the words for what is. */
const OTHER_OPTIONS: Readonly<Record<CodeOnlyOption, readonly [(value: unknown) => boolean, string]>> = {
  profile: [(value) => typeof value === "string", "a profile name"],
  stsCa: [isCertificate, "certificates in PEM"],
  stsProxy: [isHttpProxy, "http://[user:password@]host[:port]"],
  onEvent: [(value) => typeof value === "function", "a function"],
  logger: [isObject, "an object with debug, info, warn and error"],
};

/**
 * The options as they are now, without a prototype, lists and certificates copied.
 * @throws TypeError with code `ERR_INVALID_ARG_VALUE` for what is no plain object (a promise, a Map, a class instance,
 * `null`), an unknown key, or a value that is not allowed
 */
export function snapshotOptions(options: GuardOptions): GuardOptions {
  if (!isPlainObject(options))
    throw invalidArgument("guard", options, "a plain object of options, or a guard that createGuard returned");
  const names: readonly string[] = [...SETTINGS.map((setting) => setting.name), ...Object.keys(OTHER_OPTIONS)];
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
  for (const [name, [isAllowed, allowed]] of Object.entries(OTHER_OPTIONS)) {
    const value = snapshot[name];
    if (value === undefined || isAllowed(value)) continue;
    // A proxy is not shown: it may hold a password.
    throw invalidArgument(`guard.${name}`, name === "stsProxy" ? {} : value, allowed);
  }
  return Object.freeze(snapshot) as GuardOptions;
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCertificate(value: unknown): boolean {
  return typeof value === "string" && /^-----BEGIN CERTIFICATE-----\r?$/m.test(value);
}

function isHttpProxy(value: unknown): boolean {
  if (typeof value !== "string" || !URL.canParse(value)) return false;
  const { protocol, pathname, search, hash } = new URL(value);
  return protocol === "http:" && pathname === "/" && search === "" && hash === "";
}
