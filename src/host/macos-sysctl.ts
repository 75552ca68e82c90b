/** The model of a Mac, as its kernel tells it. */
import type { System } from "../base/system.js";
import { type Fact, textFact, unreadable } from "./facts.js";
import { runListing } from "./listing.js";

const SOURCE = "hw.model";

/** Reads the model with one `sysctl`, which needs no privilege. */
export async function readMacModel(system: System): Promise<Fact> {
  const result = await runListing(system, "/usr/sbin/sysctl", ["-n", SOURCE]);
  return result.kind === "failed"
    ? unreadable("sysctl", SOURCE, `sysctl: ${result.reason}`)
    : textFact("sysctl", SOURCE, result.stdout);
}
