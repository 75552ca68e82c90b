/** The shapes of Sigma rules: the part of specification 2.1.0 that the shipped rules are written in. */

/** How much a match matters, lowest first. */
export const LEVELS = ["informational", "low", "medium", "high", "critical"] as const;

/** One of {@link LEVELS}. */
export type Level = (typeof LEVELS)[number];

/** Which logs a rule reads. `definition` is for people. */
export interface LogSource {
  readonly category?: string;
  readonly product?: string;
  readonly service?: string;
  readonly definition?: string;
}

/** A value that a field is compared with. */
export type Scalar = string | number | boolean | null;

/** Field (with `|modifiers`) -> value or values; all entries have to hold. */
export type FieldMap = Readonly<Record<string, Scalar | readonly Scalar[]>>;

/** One search of a rule: keywords, one map, or maps of which one has to hold. */
export type Search = FieldMap | readonly (FieldMap | string | number)[];

/** Searches by name, and the `condition` that joins them. */
export type Detection = Readonly<Record<string, Search | string>> & { readonly condition: string };

interface Described {
  readonly title: string;
  /** UUID. */
  readonly id: string;
  /** By which correlation rules refer to the rule. */
  readonly name?: string;
  readonly status: "stable" | "test" | "experimental" | "deprecated" | "unsupported";
  readonly description: string;
  readonly references: readonly string[];
  readonly author: string;
  /** `YYYY-MM-DD` */
  readonly date: string;
  /** `YYYY-MM-DD` */
  readonly modified?: string;
  readonly tags: readonly string[];
  readonly falsepositives: readonly string[];
  readonly level: Level;
}

/** A rule that judges one record at a time. */
export interface DetectionRule extends Described {
  readonly logsource: LogSource;
  readonly detection: Detection;
  readonly fields?: readonly string[];
}

/** What a correlation looks for among the matches of other rules. */
export interface Correlation {
  readonly type: "event_count" | "value_count" | "temporal" | "temporal_ordered";
  /** Names or ids of rules. */
  readonly rules: readonly string[];
  readonly "group-by": readonly string[];
  /** Alias -> rule -> field. */
  readonly aliases?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** A number and `s`, `m`, `h` or `d`. */
  readonly timespan: string;
  readonly condition: Readonly<Record<string, number | string>>;
  /** Whether a converter still writes queries for the rules that are joined. */
  readonly generate?: boolean;
}

/** A rule that judges the matches of other rules together. */
export interface CorrelationRule extends Described {
  readonly correlation: Correlation;
}

/** Any rule. */
export type SigmaRule = DetectionRule | CorrelationRule;

/** A rule as it is shipped. */
export interface ShippedRule {
  /** Name of its file, without `.yml`. */
  readonly file: string;
  readonly rule: SigmaRule;
}

/** What one back end, with one pipeline or none, makes of the rules. */
export interface Conversion {
  /** As `sigma convert --target` takes it. */
  readonly backend: string;
  /** As `sigma convert --pipeline` takes it: pySigma's own by its name, ours by the name of its file. */
  readonly pipeline?: string;
  /** A product that knows certain log sources only: the folder for all back ends takes no notice of it. */
  readonly limited?: true;
  /** What pip installs, with the version that was tried. */
  readonly package: string;
  /** Files of the rules that cannot be expressed, correlations among them, without `.yml` and the number of a part. */
  readonly without: readonly string[];
}

/** Whether a rule judges one record at a time. */
export function isDetectionRule(rule: SigmaRule): rule is DetectionRule {
  return "detection" in rule;
}

/** Whether a rule judges the matches of others. */
export function isCorrelationRule(rule: SigmaRule): rule is CorrelationRule {
  return "correlation" in rule;
}

/** Whether `level` is at least `threshold`. */
export function levelAtLeast(level: Level, threshold: Level): boolean {
  return LEVELS.indexOf(level) >= LEVELS.indexOf(threshold);
}
