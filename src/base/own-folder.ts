/** Where this package lies. */
import { dirname } from "node:path";

/**
 * The folder that this code is in, with all other files of the package: undefined in a bundle, where they are not. As
 * text in CommonJS, which `import.meta` is not.
 */
export const OWN_FOLDER: string | undefined =
  // Of the source, which is in rooms; what is built has it as undefined.
  import.meta.dirname !== undefined
    ? dirname(import.meta.dirname)
    : typeof __filename === "string"
      ? dirname(__filename)
      : undefined;
