// @ts-nocheck
/** The application under a tracer, which wraps modules as they are loaded and asks for the cloud it is in. */
const doors = require("./doors.cjs");

const tracers = {
  "dd-trace": () => require("dd-trace").init({ startupLogs: false }),
  "elastic-apm-node": () => require("elastic-apm-node").start({ serverUrl: "http://127.0.0.1:9", logLevel: "off" }),
  newrelic() {
    process.env.NEW_RELIC_APP_NAME = "app";
    process.env.NEW_RELIC_LICENSE_KEY = "0".repeat(40);
    process.env.NEW_RELIC_HOST = "127.0.0.1";
    process.env.NEW_RELIC_PORT = "9";
    process.env.NEW_RELIC_LOG_ENABLED = "false";
    require("newrelic");
  },
  "@sentry/node": () => require("@sentry/node").init({ dsn: "http://key@127.0.0.1:9/1", tracesSampleRate: 1 }),
  "@opentelemetry/auto-instrumentations-node": () => {
    process.env.OTEL_TRACES_EXPORTER = "none";
    process.env.OTEL_METRICS_EXPORTER = "none";
    process.env.OTEL_LOGS_EXPORTER = "none";
    require("@opentelemetry/auto-instrumentations-node/register");
  },
};

const [name, ...names] = process.argv.slice(2);
tracers[name]();
void doors((module) => require(module), names).then(() => setTimeout(() => process.exit(0), 500));
