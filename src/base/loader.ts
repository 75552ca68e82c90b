/** Who loads the files of this package. */

/**
 * Whether Node.js does. Somebody else's loader may end before the process does: Jest's ends with a test file, and fails
 * the run where anything is loaded afterwards.
 */
export function isLoadedByNode(): boolean {
  // A module of the form that Node.js loads has `module`; under the tests of the source there is none. Its class is asked
  // for its name, because `node:module` may not be loaded yet, and that would be a part of each first refusal.
  return typeof module === "object" && module.constructor.name === "Module";
}
