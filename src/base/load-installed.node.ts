/**
 * The form of load-installed.ts for Node.js: by the loader of this file, which in a test runner is the runner's own. It
 * is not called by the name of `require`, of which webpack complains where it is given this form.
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import { OWN_FOLDER } from "./own-folder.js";

type Load = (name: string) => unknown;

/** In a bundle, the module that this code is in has no loader. */
function loaderOf(file: { readonly require?: Load }): Load {
  return file.require?.bind(file) ?? createRequire(join(OWN_FOLDER ?? process.cwd(), "x"));
}

// A rejection, and nothing thrown, as from `import()`.
// eslint-disable-next-line @typescript-eslint/require-await
export const loadInstalled = async (name: string): Promise<unknown> => loaderOf(module)(name);
