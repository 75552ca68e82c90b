/** The environment as settings are read from it. */
import type { ImdsGuardSettingsError } from "../base/errors.js";
import { fact, settingError } from "../base/errors.js";
import { printable } from "../base/text.js";
import type { System } from "../base/system.js";

/** Variables by name, without a prototype. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The variables as they are now, own properties alone. Windows does not tell the case of names apart, but a copy of
 * `process.env` does (that of a worker thread is one): there they are in upper case.
 * @throws ImdsGuardSettingsError `ERR_IMDS_GUARD_SETTING` where two names of this package differ in case and value
 */
export function environmentOf({ env, platform }: Pick<System, "env" | "platform">): Environment {
  const variables = Object.create(null) as Record<string, string | undefined>;
  for (const name of Object.keys(env)) {
    const known = platform === "win32" ? name.toUpperCase() : name;
    const value = env[name];
    const before = variables[known];
    if (before === undefined) variables[known] = value;
    else if (before !== value && known.startsWith("IMDS_GUARD_")) throw ambiguous(known, before, value ?? "");
  }
  return variables;
}

/** The profile that the environment names: `AWS_PROFILE`, else `default`. */
export function profileIn(env: Environment): string {
  return env["AWS_PROFILE"] || "default";
}

function ambiguous(name: string, one: string, other: string): ImdsGuardSettingsError {
  const says = `is set twice in different letters, to ${printable(one)} and ${printable(other)}`;
  return settingError(`${name} ${says}`, `Set ${name} once.`, fact(name, says));
}
