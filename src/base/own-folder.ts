/** Where this package lies. */
import { dirname } from "node:path";

/**
 * The folder that this code is in, with all other files of the package: undefined in a bundle, where they are not. As
 * text in CommonJS, which `import.meta` is not.
 */
export const OWN_FOLDER: string | undefined =
  typeof __filename === "string" ? dirname(__filename) : import.meta.dirname && dirname(import.meta.dirname);
