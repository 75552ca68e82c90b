/** Configuration files of other people's agents, as their own readers read them: YAML, TOML. */
import { parse as parseTomlText } from "smol-toml";
import { parseAllDocuments } from "yaml";

/** The value of the first YAML document of a text, or `undefined` for what is no YAML. Nothing of it is executed. */
export function parseYaml(text: string): unknown {
  const [first] = parseAllDocuments(text, { merge: true, uniqueKeys: false, logLevel: "silent" });
  if (first === undefined || !("errors" in first) || first.errors.length > 0) return undefined;
  try {
    return first.toJS({ maxAliasCount: 100 }) as unknown;
  } catch (error) {
    // Aliases that would make it grow without bound
    if (error instanceof ReferenceError) return undefined;
    throw error;
  }
}

/** The value of a TOML text, or `undefined` for what is none. */
export function parseToml(text: string): unknown {
  try {
    return parseTomlText(text);
  } catch (error) {
    if (error instanceof Error && error.name === "TomlError") return undefined;
    throw error;
  }
}

/** An own property of an object, or `undefined`. */
export function own(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}
