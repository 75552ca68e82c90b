/** The options that name networks which do have EC2, shared by the commands that judge logs. */
import type { Suppression } from "../detection/suppression.js";
import type { OptionSpec, OptionValues } from "./command.js";
import { textsOf, UsageError } from "./command.js";

/** As the bulletin suggests: requests from networks with EC2 instances are to be expected. */
export const SUPPRESSION_OPTIONS: readonly OptionSpec[] = [
  {
    name: "suppress",
    value: "SUBNET",
    multiple: true,
    summary: "expect the requests of this network, which has EC2 instances",
  },
  { name: "vlan", value: "N", multiple: true, summary: "the same for a VLAN, where the log tells it" },
];

/** Reads them. @throws UsageError */
export function suppressionOf(options: OptionValues): Suppression {
  const vlans = textsOf(options, "vlan").map((text) => {
    if (!/^\d{1,4}$/.test(text)) throw new UsageError(`--vlan is ${text}; allowed: 1 to 4094`);
    return Number(text);
  });
  return { subnets: textsOf(options, "suppress"), vlans };
}
