/** The firewall that a guard installs, by its settings and with its events. */
import { describe, expect, it } from "vitest";
import { kernel } from "../firewall/kernel.js";
import type { GuardEvent } from "../../src/events/catalogue.js";
import { createGuard } from "../../src/sdk/application-guard.js";
import type { GuardOptions } from "../../src/settings/options.js";

const IMDS = "169.254.169.254";
const DNS = "169.254.169.253";

async function installed(options: GuardOptions) {
  const events: GuardEvent[] = [];
  const guard = createGuard({ log: "off", probe: "off", onEvent: (event) => void events.push(event), ...options });
  const report = await guard.installFirewall();
  return { guard, report, codes: () => events.map(({ code }) => code) };
}
/** Whether the operating system is asked for a connection. */
const dials = (address: string): boolean => new kernel.TCP().connect({}, address, 80) !== 0;
const isRefused = (address: string): boolean => {
  const before = kernel.arrived.length;
  dials(address);
  return kernel.arrived.length === before;
};

describe("its mode and its exceptions are those of the settings", () => {
  it.each([
    ["block", true, ["firewall.connection_blocked"]],
    ["report", false, ["firewall.connection_seen"]],
    ["off", false, []],
  ] as const)("%s", async (firewall, refused, codes) => {
    const { guard, report, codes: told } = await installed({ firewall, firewallAllow: ["dns"] });
    expect(report).toMatchObject({ mode: firewall, allow: ["dns"], alreadyInstalled: false });
    expect([isRefused(IMDS), isRefused(DNS)]).toEqual([refused, false]);
    await guard.close();
    expect(told()).toEqual(codes);
  });
});

it("its children report as this process does", async () => {
  kernel.preload = true;
  const { guard } = await installed({ eventsFile: "/nonexistent/events", eventFormat: "ecs" });
  new kernel.Process().spawn({ envPairs: [] });
  const [options] = kernel.arrived.at(-1)?.args ?? [];
  const { envPairs } = options as { readonly envPairs: readonly string[] };
  expect(envPairs).toContain("IMDS_GUARD_EVENTS_FILE=/nonexistent/events");
  expect(envPairs).toContain("IMDS_GUARD_EVENT_FORMAT=ecs");
  await guard.close();
});
