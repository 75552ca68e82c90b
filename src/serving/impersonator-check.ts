/** Off EC2, for programs that would have asked IMDS: tells of the refusal, and looks for somebody who answers. */
import { reportRefusal } from "../guard/decide.js";
import type { Guard } from "../guard/guard.js";
import { servicesOf } from "../guard/guard.js";
import { endpointOf, isOffEc2 } from "../guard/locate.js";

/**
 * Reports that IMDS may not be asked, and asks once, without a secret, whether anybody answers there; what is found
 * becomes an event of `guard`. Does nothing where IMDS may be asked, and sends nothing with `probe: off` or where IMDS
 * was refused for another reason than the host. Never throws.
 */
export async function checkForImpersonator(guard: Guard): Promise<void> {
  try {
    const [{ host, decision }, { settings, reporter, system }] = await Promise.all([
      guard.whereAmI(),
      servicesOf(guard),
    ]);
    if (decision.kind !== "refuse") return;
    reportRefusal(reporter, decision);
    if (!isOffEc2(decision) || settings.probe === "off") return;
    const { probeOnce } = await import("../guard/impersonator-probe.js");
    await probeOnce(endpointOf(decision.target), host.verdict, reporter, system);
  } catch {
    // Whoever asks for credentials is told what is wrong with the settings.
  }
}

/** Waits for `work`, but no longer than `milliseconds`; holds the process for as long. */
export async function atMost(work: Promise<void>, milliseconds: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}
