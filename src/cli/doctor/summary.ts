/** The page of doctor in three lines: where this host is, the worst that was found, and what to do next. */
import type { Check, Section, Status } from "./check.js";

/** What a person reads first. */
export interface Summary {
  /** Half a sentence. */
  readonly verdict: string;
  /** Of the findings the first in {@link WORST_FIRST}; without a finding what is open, then what is unknown. */
  readonly worst: Check | undefined;
  /** One line; a command that can be pasted begins with "$ ". */
  readonly next: string;
}

/** Somebody who answers comes before what leads there, and that before who would believe it. */
const WORST_FIRST: readonly Section[] = ["service", "network", "names", "settings", "agents", "rules", "host"];
const ANSWERS = "imds-answer";
const STATUSES: readonly Status[] = ["finding", "open", "unknown"];

/** Sums up checks, which are in the order of the page. */
export function summarize(checks: readonly Check[]): Summary {
  const worst = STATUSES.map((status) => worstOf(checks, status)).find((check) => check !== undefined);
  const verdict = checks.find(({ id }) => id === "verdict")?.says ?? "unknown";
  return { verdict, worst, next: nextStep(worst) };
}

function worstOf(checks: readonly Check[], status: Status): Check | undefined {
  const of = checks.filter((check) => check.status === status);
  const rank = ({ id, section }: Check): number => (id === ANSWERS ? -1 : WORST_FIRST.indexOf(section));
  // The sort is stable: within a section it is the first.
  return of.sort((one, other) => rank(one) - rank(other))[0];
}

function nextStep(worst: Check | undefined): string {
  if (worst === undefined) return "nothing: every check is ok";
  const [first] = worst.advice ?? [];
  if (first !== undefined) return first;
  return worst.status === "finding" || (worst.fixes ?? []).length > 0
    ? "$ imds-guard doctor --fix-plan"
    : worst.status === "open"
      ? "$ imds-guard help exec"
      : "$ sudo imds-guard doctor";
}
