/** Parts of the package that a bundle has only if the application imports `imds-guard/extras`. */

/** A part, by the name under which `imds-guard/extras` provides it. */
export type ExtraName =
  "answers" | "certificates" | "dns" | "encode" | "monitor" | "openTelemetry" | "responder" | "sts";

/**
 * Loads a part. In a bundle, whose form of this file is extra.bundled.ts, nothing can be loaded later.
 *
 * @param _name of the part
 * @param _neededBy what asks for it, for the error: a setting and its value
 * @throws ImdsGuardSettingsError `ERR_IMDS_GUARD_SETTING` in a bundle without it
 */
export function loadExtra<Part>(_name: ExtraName, _neededBy: string, load: () => Promise<Part>): Promise<Part> {
  return load();
}

/** Whether a part is there. */
export const hasExtra = (_name: ExtraName): boolean => true;

/** Makes parts known to a bundle. */
export function provideExtras(_parts: Readonly<Record<ExtraName, object>>): void {
  // Here they are loaded when they are needed.
}
