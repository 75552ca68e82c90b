/** The settings of the whole machine, by which its administrator tightens what programs and users say. */
import { withoutComment } from "./ini.js";
import { fact, ImdsGuardSettingsError } from "../base/errors.js";
import { printable, textOf } from "../base/text.js";
import type { System } from "../base/system.js";
import { adviceToAllow, MACHINE_FILE } from "./locations.js";
import { nearest } from "./nearest.js";
import { readSharedFile } from "./shared-file.js";
import { SETTINGS } from "./table.js";

const NONE: ReadonlyMap<string, string> = new Map();
const WRITABLE_BY_OTHERS = 0o022;

/**
 * The keys of `/etc/imds-guard/config`: lines of `imds_guard_... = value`, before any section or in `[default]`, for all
 * profiles. Absent on Windows. A file that root does not own, that another may write, or that holds anything else is an
 * error: what an administrator wrote must not vanish.
 * @throws ImdsGuardSettingsError `ERR_IMDS_GUARD_CONFIG_FILE`
 */
export function readMachineFile(system: Pick<System, "readFile" | "platform" | "env">): ReadonlyMap<string, string> {
  if (system.platform === "win32") return NONE;
  const read = readSharedFile({ path: MACHINE_FILE, named: true }, system);
  if (read.kind === "absent") return NONE;
  if (read.kind === "unusable" && read.byNode === true) throw unusable(read.says, adviceToAllow(system));
  if (read.kind !== "content") throw unusable(read.says);
  if (read.owner === undefined || read.owner.uid !== 0 || (read.owner.mode & WRITABLE_BY_OTHERS) !== 0)
    throw unusable("it has to be owned by root and writable by nobody else");
  return parse(read.bytes);
}

function parse(bytes: Buffer): ReadonlyMap<string, string> {
  let text: string;
  try {
    text = textOf(bytes, "dropped");
  } catch {
    throw unusable("it is not UTF-8 text");
  }
  const keys = new Map<string, string>();
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = withoutComment(raw);
    if (line === "" || line === "[default]") continue;
    const at = `line ${index + 1}`;
    const equals = line.indexOf("=");
    if (line.startsWith("[")) throw unusable(`${at} begins a section; it has none but [default]`);
    if (equals <= 0) throw unusable(`${at} is not "name = value"`);
    const key = line.slice(0, equals).trim();
    if (!TIGHTENING.includes(key)) {
      const near = nearest(key, TIGHTENING);
      const hint = near === undefined ? "" : `; did you mean ${near}?`;
      throw unusable(`${at}: ${printable(key)} cannot be set there, where settings can only be tightened${hint}`);
    }
    if (keys.has(key)) throw unusable(`${at} sets ${key} once more`);
    keys.set(key, line.slice(equals + 1).trim());
  }
  return keys;
}

const TIGHTENING: readonly string[] = SETTINGS.filter(({ tightens }) => tightens !== undefined).map(({ key }) => key);

const repair = (): string =>
  `Let the administrator of this machine repair or remove ${MACHINE_FILE}. Allowed: ${TIGHTENING.join(", ")}.`;

function unusable(complaint: string, advice = repair()): ImdsGuardSettingsError {
  return new ImdsGuardSettingsError(
    "ERR_IMDS_GUARD_CONFIG_FILE",
    `The settings of this machine, ${MACHINE_FILE}, cannot be used: ${complaint}`,
    { evidence: [fact(MACHINE_FILE, complaint)], advice },
  );
}
