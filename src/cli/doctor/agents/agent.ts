/** What the looks at AWS's agents have in common. */
import type { Check, Fix, Machine } from "../check.js";

/** One agent: how to see that it is here, and whether it would believe an impersonator. */
export interface Agent {
  /** Stable: the `id` of its lines is `agent-` and this. */
  readonly id: string;
  readonly name: string;
  /** Files or directories of which any one means that the agent is installed. */
  readonly signs: (machine: Machine) => readonly string[];
  /** Called on an installed agent. */
  readonly judge: (machine: Machine) => readonly Judgement[];
}

/** One thing seen of an agent. */
export interface Judgement extends Pick<Check, "status" | "says" | "advice" | "evidence"> {
  readonly fixes?: readonly Fix[] | undefined;
}

/** On an EC2 instance an agent is meant to believe the metadata service. */
export const ON_EC2: Judgement = { status: "ok", says: "installed; on EC2 it is meant to use the instance role" };

/** A judgement on something that this user may not read. */
export function unreadable(path: string, why: string, what: string): Judgement {
  return {
    status: "unknown",
    says: `${path} cannot be read (${why}), so ${what} is not known`,
    advice: ["run doctor as root to see it"],
  };
}
