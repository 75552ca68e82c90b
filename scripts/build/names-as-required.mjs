// @ts-check
/**
 * Takes what `import()` of a package becomes, `require`, as it is. rolldown copies all names of the package into an
 * object that has `default` as well, and a first refusal wants one name of some fifty.
 */

const COPIED =
  /(Promise\.resolve\(\)\.then\(\(\) => )(?:\/\* @__PURE__ \*\/ )?[\w$.]+__toESM\((require\("@[^"]+"\)), 1\)/g;

/** @returns {import("rolldown").Plugin} */
export function namesAsRequired() {
  return {
    name: "names-as-required",
    generateBundle(_, bundle) {
      for (const chunk of Object.values(bundle))
        if (chunk.type === "chunk") chunk.code = chunk.code.replace(COPIED, "$1$2");
    },
  };
}
