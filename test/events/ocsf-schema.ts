/** The part of OCSF 1.8.0 that imds-guard writes: attributes of each class and object, as far as they are used. */

/** What an attribute holds: a scalar, one of some numbers, an object named in {@link OBJECTS}, a list, or anything. */
export type Kind =
  | "text"
  | "integer"
  | "boolean"
  | "any"
  | { readonly oneOf: readonly number[] }
  | { readonly object: string }
  | { readonly list: Kind };

export interface Shape {
  readonly required: Readonly<Record<string, Kind>>;
  readonly optional?: Readonly<Record<string, Kind>>;
  readonly atLeastOne?: readonly string[];
}

const object = (name: string): Kind => ({ object: name });
const list = (kind: Kind): Kind => ({ list: kind });
const oneOf = (...numbers: number[]): Kind => ({ oneOf: numbers });

const BASE_REQUIRED = {
  severity_id: oneOf(0, 1, 2, 3, 4, 5, 6, 99),
  time: "integer",
  metadata: object("metadata"),
} as const;

const BASE_OPTIONAL = {
  activity_name: "text",
  category_name: "text",
  class_name: "text",
  severity: "text",
  message: "text",
  observables: list(object("observable")),
  action_id: oneOf(0, 1, 2),
  action: "text",
  disposition_id: oneOf(1, 2, 15, 17),
  disposition: "text",
  is_alert: "boolean",
  unmapped: "any",
  count: "integer",
} as const;

export const CLASSES: Readonly<Record<number, Shape>> = {
  2004: {
    required: {
      ...BASE_REQUIRED,
      category_uid: oneOf(2),
      class_uid: oneOf(2004),
      activity_id: oneOf(1, 2, 3),
      type_uid: oneOf(200401, 200402, 200403),
      finding_info: object("finding_info"),
    },
    optional: {
      ...BASE_OPTIONAL,
      confidence_id: oneOf(0, 1, 2, 3, 99),
      confidence: "text",
      status_id: oneOf(1, 2, 3, 4, 5, 6),
      status: "text",
      evidences: list(object("evidences")),
      remediation: object("remediation"),
    },
  },
  4001: {
    required: {
      ...BASE_REQUIRED,
      category_uid: oneOf(4),
      class_uid: oneOf(4001),
      activity_id: oneOf(1, 2, 3, 4, 5, 6, 7),
      type_uid: oneOf(400101, 400102, 400103, 400104, 400105, 400106, 400107),
    },
    optional: {
      ...BASE_OPTIONAL,
      actor: object("actor"),
      src_endpoint: object("network_endpoint"),
      dst_endpoint: object("network_endpoint"),
      connection_info: object("network_connection_info"),
    },
    atLeastOne: ["dst_endpoint", "src_endpoint"],
  },
};

export const OBJECTS: Readonly<Record<string, Shape>> = {
  metadata: {
    required: { product: object("product"), version: "text" },
    optional: { uid: "text", event_code: "text", profiles: list("text") },
  },
  product: { required: { name: "text" }, optional: { vendor_name: "text", version: "text" } },
  observable: { required: { name: "text", type_id: oneOf(1, 2, 3) }, optional: { type: "text", value: "text" } },
  finding_info: {
    required: { uid: "text" },
    optional: {
      title: "text",
      desc: "text",
      types: list("text"),
      src_url: "text",
      analytic: object("analytic"),
      attacks: list(object("attack")),
    },
  },
  analytic: {
    required: { type_id: oneOf(0, 1, 2, 3, 4, 99) },
    optional: { uid: "text", name: "text", type: "text", version: "text" },
    atLeastOne: ["uid", "name"],
  },
  attack: {
    required: {},
    optional: { tactic: object("named"), technique: object("named"), sub_technique: object("named") },
    atLeastOne: ["tactic", "technique", "sub_technique"],
  },
  named: { required: {}, optional: { uid: "text", name: "text" }, atLeastOne: ["uid", "name"] },
  evidences: {
    required: {},
    optional: {
      process: object("process"),
      src_endpoint: object("network_endpoint"),
      dst_endpoint: object("network_endpoint"),
      connection_info: object("network_connection_info"),
      data: "any",
    },
    atLeastOne: ["process", "src_endpoint", "dst_endpoint", "connection_info", "data"],
  },
  actor: { required: {}, optional: { process: object("process") }, atLeastOne: ["process"] },
  process: { required: {}, optional: { pid: "integer", name: "text" }, atLeastOne: ["pid", "uid"] },
  network_endpoint: {
    required: {},
    optional: { ip: "text", hostname: "text", port: "integer", mac: "text", svc_name: "text", interface_name: "text" },
    atLeastOne: ["ip", "hostname", "svc_name", "interface_name"],
  },
  network_connection_info: {
    required: { direction_id: oneOf(0, 1, 2, 3, 99) },
    optional: {
      direction: "text",
      protocol_num: "integer",
      protocol_name: "text",
      protocol_ver_id: oneOf(0, 4, 6, 99),
    },
  },
  remediation: { required: { desc: "text" }, optional: { references: list("text") } },
};

/** What is wrong with `value`, as one sentence for each fault. */
export function faultsOf(value: unknown, kind: Kind, path = "event"): string[] {
  if (kind === "any") return [];
  if (kind === "text") return typeof value === "string" ? [] : [`${path} is no text`];
  if (kind === "integer") return Number.isSafeInteger(value) ? [] : [`${path} is no integer`];
  if (kind === "boolean") return typeof value === "boolean" ? [] : [`${path} is no boolean`];
  if ("oneOf" in kind) return kind.oneOf.includes(value as number) ? [] : [`${path} is ${String(value)}`];
  if ("object" in kind) return faultsOfShape(value, OBJECTS[kind.object] as Shape, path);
  if (!Array.isArray(value)) return [`${path} is no list`];
  return value.flatMap((item, index) => faultsOf(item, kind.list, `${path}[${index}]`));
}

export function faultsOfShape(value: unknown, shape: Shape, path = "event"): string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [`${path} is no object`];
  const faults = Object.keys(shape.required)
    .filter((name) => !Object.hasOwn(value, name))
    .map((name) => `${path}.${name} is missing`);
  if (shape.atLeastOne && !shape.atLeastOne.some((name) => Object.hasOwn(value, name)))
    faults.push(`${path} has none of ${shape.atLeastOne.join()}`);
  for (const [name, item] of Object.entries(value) as [string, unknown][]) {
    const kind = shape.required[name] ?? shape.optional?.[name];
    faults.push(...(kind === undefined ? [`${path}.${name} is unknown`] : faultsOf(item, kind, `${path}.${name}`)));
  }
  return faults;
}
