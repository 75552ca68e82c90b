// @ts-nocheck
/** An application that hands a refusal to the loggers that people have. */
const { Writable } = require("node:stream");
const { fromInstanceMetadata } = require("imds-guard");

const loggers = {
  pino(error, stream) {
    require("pino")({}, stream).error(error, "no credentials");
  },
  winston(error, stream) {
    const { createLogger, format, transports } = require("winston");
    createLogger({
      format: format.combine(format.errors({ stack: true }), format.json()),
      transports: [new transports.Stream({ stream })],
    }).error(error);
  },
  bunyan(error, stream) {
    require("bunyan").createLogger({ name: "app", stream }).error({ err: error }, "no credentials");
  },
};

async function main(names) {
  const outcome = {};
  const error = await fromInstanceMetadata()().catch((reason) => reason);
  for (const name of names) {
    let text = "";
    const stream = new Writable({
      write(chunk, _, done) {
        text += chunk;
        done();
      },
    });
    loggers[name](error, stream);
    await new Promise((resolve) => setTimeout(resolve, 20));
    outcome[name] = JSON.parse(text);
  }
  process.stdout.write(JSON.stringify(outcome));
}

void main(process.argv.slice(2));
