/** What the preload needs only where something was said about the firewall, or something was tried. */
export { isImdsGuardError } from "../base/errors.js";
export { earlyReporter } from "../firewall/early-reporter.js";
export { createTeller } from "../firewall/telling.js";
export { readEarlySettings } from "../settings/early.js";
