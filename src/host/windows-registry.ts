/** SMBIOS strings as Windows keeps them in the registry, where every user may read them. */
import { inSystem32 } from "../base/system.js";
import type { System } from "../base/system.js";
import type { SmbiosFacts } from "./facts.js";
import { type Listing, listing, readListed } from "./listing.js";

const KEY = "HKLM\\HARDWARE\\DESCRIPTION\\System\\BIOS";
const FULL_KEY = "hkey_local_machine\\hardware\\description\\system\\bios";

/** SMBIOS field -> registry value. The key holds no UUID, chassis or asset tag. */
const VALUES = {
  sysVendor: "SystemManufacturer",
  biosVendor: "BIOSVendor",
  boardVendor: "BaseBoardManufacturer",
  biosVersion: "BIOSVersion",
  productVersion: "SystemVersion",
  productName: "SystemProductName",
} as const;

/** Reads the key with one `reg query`, started by its full path so that PATH has no say. */
export function readWindowsRegistry(system: System): Promise<SmbiosFacts> {
  const lister = {
    command: inSystem32(system.env["SystemRoot"], "reg.exe"),
    args: ["query", KEY],
    called: "reg query",
  };
  return readListed(system, { kind: "registry", ...lister, parse: parseRegQuery, within: `${KEY}\\` }, VALUES);
}

/**
 * The string values that `reg query` printed for the BIOS key, by lower-cased name (registry names ignore case).
 * A line is four spaces, name, four spaces, type, four spaces, data.
 */
export function parseRegQuery(stdout: string): Listing {
  const pairs: [string, string][] = [];
  let inKey = false;
  for (const line of stdout.split(/\r\n|\r|\n/)) {
    if (/^HKEY_/i.test(line)) {
      inKey = line.trimEnd().toLowerCase() === FULL_KEY;
      continue;
    }
    const match = inKey ? /^ {4}(\S.*?) {4}REG_(?:EXPAND_)?SZ(?: {4}(.*))?$/.exec(line) : null;
    if (match?.[1] !== undefined) pairs.push([match[1].toLowerCase(), match[2] ?? ""]);
  }
  return listing(pairs);
}
