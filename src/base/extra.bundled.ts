/** The form of extra.ts in a bundle: a part is there if the application imports `imds-guard/extras`, or not at all. */
import { settingError } from "./errors.js";
import type { ExtraName } from "./extra.js";
import { PACKAGE_VERSION } from "./package-version.js";
import { processWide, shareInProcess } from "./process-wide.js";

type Parts = Partial<Record<ExtraName, object>>;

/** By version: parts fit the code that they were built with. One program may be several bundles. */
const EXTRAS = Symbol.for(`imds-guard.extras/${PACKAGE_VERSION}`);

export function loadExtra<Part extends object>(name: ExtraName, neededBy: string): Promise<Part> {
  const part = (processWide(EXTRAS) as Parts | undefined)?.[name];
  if (part !== undefined) return Promise.resolve(part as Part);
  return Promise.reject(
    settingError(
      `${neededBy} needs a part of imds-guard that this bundle does not have`,
      `Add import "imds-guard/extras" to the application, beside its import of imds-guard.`,
    ),
  );
}

export function hasExtra(name: ExtraName): boolean {
  return (processWide(EXTRAS) as Parts | undefined)?.[name] !== undefined;
}

export function provideExtras(parts: Readonly<Record<ExtraName, object>>): void {
  shareInProcess(EXTRAS, "code", () => Object.freeze({ __proto__: null, ...parts }));
}
