/** The model of a Mac, and the models that EC2 never had. */
import type { System } from "../base/system.js";
import { type Fact, runListing, textFact } from "./facts.js";

const SOURCE = "hw.model";

/** Reads the model with one `sysctl`, which needs no privilege. */
export async function readMacModel(system: System): Promise<Fact> {
  const result = await runListing(system, "/usr/sbin/sysctl", ["-n", SOURCE]);
  return result.kind === "failed"
    ? { kind: "sysctl", source: SOURCE, status: "unreadable", why: `sysctl: ${result.reason}` }
    : textFact("sysctl", SOURCE, result.stdout);
}

/**
 * Whether EC2 never had this model: portables and Macs with a screen, as of November 2026. EC2 has Mac mini and Mac Studio
 * (mac1, mac2, mac2-m2, mac2-m2pro, mac2-m1ultra, mac-m4, mac-m4pro and those that follow), so that any other one, and any
 * model that is not listed, may be one of them. Source: "Amazon EC2 Mac instances", EC2 User Guide, and Apple's lists of
 * models (support.apple.com 102852, 102869, 108054).
 */
export function isNoEc2Mac(model: string): boolean {
  return /^(?:MacBook(?:Air|Pro)?|iMac(?:Pro)?)\d{1,2},\d{1,2}$/.test(model) || NEVER_AT_EC2.has(model);
}

/** Since 2022 the name of a model tells no family any more. */
const NEVER_AT_EC2: ReadonlySet<string> = new Set([
  // MacBook Air and MacBook Pro with M2
  ...["Mac14,2", "Mac14,15", "Mac14,5", "Mac14,6", "Mac14,7", "Mac14,9", "Mac14,10"],
  // MacBook Air, MacBook Pro and iMac with M3
  ...["Mac15,3", "Mac15,4", "Mac15,5", "Mac15,6", "Mac15,7", "Mac15,8", "Mac15,9", "Mac15,10", "Mac15,11", "Mac15,12"],
  "Mac15,13",
  // MacBook Air, MacBook Pro and iMac with M4
  ...["Mac16,1", "Mac16,2", "Mac16,3", "Mac16,5", "Mac16,6", "Mac16,7", "Mac16,8", "Mac16,12", "Mac16,13"],
]);
