/** Keeps what an audit finds, each kind in a list of its own, and counts what is to be done. */
import { isMissing } from "./gaps.js";
import type { FleetRecord } from "./records.js";
import type { Spool, SpoolFolder } from "./spool.js";
import type { Verdict } from "./verdict.js";
import { VERDICTS } from "./verdict.js";

type Kind = FleetRecord["kind"];
type RecordOf<K extends Kind> = Extract<FleetRecord, { readonly kind: K }>;

/** Kinds, with the names of their lists in the JSON report. */
export const LISTS = {
  instance: "instances",
  "launch-template": "launchTemplates",
  "launch-configuration": "launchConfigurations",
  "auto-scaling-group": "autoScalingGroups",
  "metadata-defaults": "metadataDefaults",
  image: "images",
  role: "roles",
  region: "regions",
  gap: "gaps",
} as const satisfies Readonly<Record<Kind, string>>;

/** What an audit comes to. */
export interface FleetSummary {
  readonly instances: Readonly<Record<Verdict, number>>;
  /** Templates, configurations, groups and defaults by which new instances would allow version 1. */
  readonly launches: number;
  /** Images of the account's own that do not ask for version 2. */
  readonly images: number;
  /** Roles of instances that take credentials of version 1. */
  readonly roles: number;
  readonly regions: number;
  /** Regions, accounts and permissions that were missing. */
  readonly gaps: number;
  /** Whether anything is to be done. */
  readonly toDo: boolean;
}

/** The lists of one audit. */
export interface Findings {
  readonly add: (record: FleetRecord) => void;
  readonly list: <K extends Kind>(kind: K) => Spool<RecordOf<K>>;
  readonly summary: () => FleetSummary;
}

/** Lists in `folder`. */
export function createFindings(folder: SpoolFolder): Findings {
  const lists = new Map<Kind, Spool<FleetRecord>>();
  const list = (kind: Kind): Spool<FleetRecord> => {
    let found = lists.get(kind);
    if (found === undefined) lists.set(kind, (found = folder.open(kind)));
    return found;
  };
  const instances: Record<Verdict, number> = { fine: 0, safe: 0, used: 0, excepted: 0, unknown: 0 };
  let launches = 0;
  let images = 0;
  let roles = 0;
  let regions = 0;
  let gaps = 0;
  let toDo = false;
  return {
    add(record) {
      list(record.kind).push(record);
      switch (record.kind) {
        case "instance":
          instances[record.verdict] += 1;
          // What CloudWatch did not want to tell is a gap of its own.
          if (
            record.verdict === "safe" ||
            record.verdict === "used" ||
            (record.verdict === "unknown" && !record.unread)
          )
            toDo = true;
          break;
        case "launch-template":
        case "launch-configuration":
        case "auto-scaling-group":
        case "metadata-defaults":
          if (record.standing === "to-do") {
            launches += 1;
            toDo = true;
          }
          break;
        case "image":
          if (record.imdsSupport !== "v2.0") images += 1;
          break;
        case "role":
          if (!record.roleDelivery) roles += 1;
          break;
        case "region":
          regions += 1;
          break;
        case "gap":
          if (isMissing(record)) gaps += 1;
      }
    },
    list: <K extends Kind>(kind: K) => list(kind) as unknown as Spool<RecordOf<K>>,
    summary: () => ({ instances: { ...instances }, launches, images, roles, regions, gaps, toDo }),
  };
}

/** The verdicts as a line: `3 fine, 1 used`. */
export function verdictsText(instances: FleetSummary["instances"]): string {
  const counts = VERDICTS.filter((verdict) => instances[verdict] > 0).map(
    (verdict) => `${instances[verdict]} ${verdict}`,
  );
  return counts.length === 0 ? "no instances" : counts.join(", ");
}
