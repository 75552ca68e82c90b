/** `createGuard` as applications get it: the guard, and what ties it to SDK clients. */
import { loadExtra } from "../base/extra.js";
import type { FirewallReport } from "../firewall/install.js";
import type { Guard } from "../guard/guard.js";
import { createGuard as createCore } from "../guard/create-guard.js";
import { servicesOf } from "../guard/guard.js";
import type { Monitor, MonitorOptions } from "../monitor/monitor.js";
import type { GuardOptions } from "../settings/options.js";
import { reportingVariables } from "../settings/early-defaults.js";
import type { ClientConfig, ClientConfigInit } from "./client-config.js";
import { clientConfig } from "./link-providers.js";
import { realSystem } from "../base/system.js";

/** A guard with the means to configure SDK clients. */
export interface ApplicationGuard extends Guard {
  /**
   * Region, credentials and defaults mode for an SDK client, so that it sends no IMDS request of its own.
   *
   * @example
   * ```ts
   * import { S3Client } from "@aws-sdk/client-s3";
   * import { createGuard } from "imds-guard";
   * const guard = createGuard();
   * const s3 = new S3Client({ ...guard.clientConfig() });
   * ```
   */
  clientConfig(init?: ClientConfigInit): ClientConfig;
  /**
   * From now on no connection of this thread, its workers and its Node children reaches a metadata service, but those
   * of guards. What is refused becomes an event of this guard. Mode and exceptions are the settings `firewall` and
   * `firewallAllow`. Cannot be undone; as a preload (`imds-guard/register`) it closes more.
   *
   * @returns what it came to, and what it cannot close
   */
  installFirewall(): Promise<FirewallReport>;
  /**
   * Starts to watch the metadata addresses: who answers there, by which way, and which programs and names lead there.
   * What is found is reported where this guard's events go, once and not with every look. Ends with the guard.
   *
   * @example
   * ```ts
   * import { createGuard } from "imds-guard";
   * const guard = createGuard({ eventsFile: "/var/log/agent/imds.jsonl" });
   * const monitor = await guard.monitor({ intervalMs: 60_000 });
   * console.log(monitor.status().looks);
   * await guard.close();
   * ```
   * @throws TypeError `ERR_INVALID_ARG_VALUE` for an option that is unknown or not allowed
   * @throws ImdsGuardError for settings that cannot be honoured
   */
  monitor(options?: MonitorOptions): Promise<Monitor>;
}

/**
 * Creates a guard: for agents that live long, and to be shared by several providers through their `guard` key.
 * Nothing is read or sent before the first call.
 *
 * @example
 * ```ts
 * import { createGuard } from "imds-guard";
 * const guard = createGuard({ expectedAccounts: ["111122223333"] });
 * const { host, decision } = await guard.whereAmI();
 * console.log(host.verdict, host.reason, decision.kind);
 * await guard.close();
 * ```
 * @throws TypeError `ERR_INVALID_ARG_VALUE` for an option that is unknown or not allowed
 */
export function createGuard(options: GuardOptions = {}): ApplicationGuard {
  const core = createCore(options);
  const monitors = new Set<Monitor>();
  const guard: ApplicationGuard = {
    ...core,
    clientConfig: (init) => clientConfig(core, init),
    async installFirewall() {
      const [{ settings, reporter, ...reporting }, { install }, { createAttemptReporter }] = await Promise.all([
        servicesOf(core),
        import("../firewall/install.js"),
        import("../firewall/attempt-reporter.js"),
      ]);
      const { firewallAnswers: level, egress, expectedAccounts } = settings;
      if (egress === "report") {
        const { watchEgress } = await import("../firewall/egress.js");
        watchEgress({ expectedAccounts, report: (code, details) => reporter.report(code, details) });
      }
      const { createMetadataAnswers } =
        level === "off" ? {} : await loadExtra("answers", "firewallAnswers", () => import("./metadata-answers.js"));
      return install({
        mode: settings.firewall,
        allow: settings.firewallAllow,
        early: false,
        reportingVariables: reportingVariables(reporting),
        answers:
          createMetadataAnswers && level !== "off"
            ? () => createMetadataAnswers({ guard: () => Promise.resolve(core), level })
            : undefined,
        reporter: () => createAttemptReporter((code, details) => reporter.report(code, details)),
      });
    },
    async monitor(wanted = {}) {
      const [{ createMonitor }, { host }, { settings, reporter }] = await Promise.all([
        loadExtra("monitor", "guard.monitor()", () => import("../monitor/monitor.js")),
        core.whereAmI(),
        servicesOf(core),
      ]);
      const monitor = createMonitor(wanted, {
        system: realSystem,
        reporter,
        verdict: host.verdict,
        probe: settings.probe,
      });
      monitors.add(monitor);
      return {
        ...monitor,
        async close() {
          monitors.delete(monitor);
          await monitor.close();
        },
      };
    },
    async close() {
      await Promise.all([...monitors].map((monitor) => monitor.close()));
      await core.close();
    },
  };
  return guard;
}
