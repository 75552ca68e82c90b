/**
 * The parts that bundles leave out unless they are asked for: `import "imds-guard/extras"` beside `imds-guard`. Outside
 * of bundles they are loaded when they are needed, and this does nothing.
 * @module imds-guard/extras
 */
import * as encode from "../events/encode.js";
import * as openTelemetry from "../events/opentelemetry.js";
import { provideExtras } from "../base/extra.js";
import * as certificates from "../guard/certificate-links.js";
import * as sts from "../guard/sts-identity.js";
import * as monitor from "../monitor/monitor.js";
import * as dns from "../network/dns.js";
import * as responder from "../network/responder.js";
import * as answers from "./metadata-answers.js";

provideExtras({ answers, certificates, dns, encode, monitor, openTelemetry, responder, sts });
