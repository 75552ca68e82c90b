/** What `import()` makes of CommonJS packages, in Node and in bundles. */

/**
 * The members of a CommonJS package. Node finds their names, and so has a bundle whose own format is CommonJS; bundles
 * of ES modules may put the whole of `module.exports` behind `default` and nothing beside it.
 */
export function membersOf<Module extends object>(namespace: Module): Module {
  const { default: whole } = namespace as { readonly default?: unknown };
  const bare = Object.keys(namespace).every((name) => name === "default" || name === "module.exports");
  return bare && typeof whole === "object" && whole !== null ? (whole as Module) : namespace;
}
