/** What the preload needs only where something was said about the firewall, or something was tried. */
export { earlyReporter } from "../firewall/early-reporter.js";
export { createAttemptReporter } from "../firewall/attempt-reporter.js";
export { watchEgress } from "../firewall/egress.js";
export { readEarlySettings, readExpectedAccounts } from "../settings/early.js";
