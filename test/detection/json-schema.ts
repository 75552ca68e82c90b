/** A checker for the part of JSON Schema 2020-12 that the Sigma schemas use; a keyword it does not know is an error. */

type Schema = Readonly<Record<string, unknown>>;

const ANNOTATIONS = ["$schema", "title", "description"];
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** What is wrong with `value`, as `path: what`; empty if nothing. */
export function problemsOf(value: unknown, schema: object, path = "$"): string[] {
  return Object.entries(schema as Schema).flatMap(([keyword, given]) =>
    check(keyword, given, value, schema as Schema, path),
  );
}

function check(keyword: string, given: unknown, value: unknown, schema: Schema, path: string): string[] {
  const wrong = (what: string): string[] => [`${path}: ${what}`];
  const ok = (holds: boolean, what: string): string[] => (holds ? [] : wrong(what));
  const list = Array.isArray(value) ? (value as unknown[]) : undefined;
  const map =
    typeof value === "object" && value !== null && list === undefined ? (value as Record<string, unknown>) : undefined;
  const all = (schemas: unknown): string[][] => (schemas as object[]).map((one) => problemsOf(value, one, path));
  switch (keyword) {
    case "type":
      return ok(typeOf(value) === given || (given === "integer" && Number.isInteger(value)), `is not ${String(given)}`);
    case "const":
      return ok(value === given, `is not ${JSON.stringify(given)}`);
    case "pattern":
      return ok(
        typeof value !== "string" || new RegExp(given as string, "u").test(value),
        `does not match ${String(given)}`,
      );
    case "format":
      return ok(given === "uuid" && (typeof value !== "string" || UUID.test(value)), `is no ${String(given)}`);
    case "minLength":
      return ok(typeof value !== "string" || value.length >= (given as number), "is too short");
    case "maxLength":
      return ok(typeof value !== "string" || value.length <= (given as number), "is too long");
    case "minItems":
      return ok(list === undefined || list.length >= (given as number), "has too few items");
    case "maxItems":
      return ok(list === undefined || list.length <= (given as number), "has too many items");
    case "uniqueItems":
      return ok(
        list === undefined || new Set(list.map((item) => JSON.stringify(item))).size === list.length,
        "has items twice",
      );
    case "required":
      return (given as string[]).flatMap((name) => ok(map === undefined || Object.hasOwn(map, name), `has no ${name}`));
    case "items":
      return (list ?? []).flatMap((item, index) => problemsOf(item, given as object, `${path}[${index}]`));
    case "properties":
      return Object.entries(given as Schema).flatMap(([name, inner]) =>
        map !== undefined && Object.hasOwn(map, name) ? problemsOf(map[name], inner as object, `${path}.${name}`) : [],
      );
    case "additionalProperties": {
      const known = Object.keys((schema["properties"] ?? {}) as Schema);
      return Object.entries(map ?? {}).flatMap(([name, inner]) =>
        known.includes(name) ? [] : problemsOf(inner, given as object, `${path}.${name}`),
      );
    }
    case "allOf":
      return all(given).flat();
    case "anyOf":
      return ok(
        all(given).some((problems) => problems.length === 0),
        `fits none of ${JSON.stringify(given)}`,
      );
    case "oneOf":
      return ok(
        all(given).filter((problems) => problems.length === 0).length === 1,
        `does not fit exactly one of ${JSON.stringify(given)}`,
      );
    case "if":
      return problemsOf(value, given as object, path).length === 0
        ? problemsOf(value, (schema["then"] ?? {}) as object, path)
        : [];
    case "then":
      return [];
    default:
      return ok(ANNOTATIONS.includes(keyword), `the checker does not know ${keyword}`);
  }
}

function typeOf(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
}
