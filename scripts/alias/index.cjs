"use strict";
// A package of its own, because npm overrides name a package and not a path inside one. CommonJS, as the SDK's is under
// Node: the names below are found by Node's static analysis, so that they can be imported by name too.
const guarded = require("imds-guard/credential-provider-imds");

exports.DEFAULT_MAX_RETRIES = guarded.DEFAULT_MAX_RETRIES;
exports.DEFAULT_TIMEOUT = guarded.DEFAULT_TIMEOUT;
exports.ENV_CMDS_AUTH_TOKEN = guarded.ENV_CMDS_AUTH_TOKEN;
exports.ENV_CMDS_FULL_URI = guarded.ENV_CMDS_FULL_URI;
exports.ENV_CMDS_RELATIVE_URI = guarded.ENV_CMDS_RELATIVE_URI;
exports.Endpoint = guarded.Endpoint;
exports.fromContainerMetadata = guarded.fromContainerMetadata;
exports.fromInstanceMetadata = guarded.fromInstanceMetadata;
exports.getInstanceMetadataEndpoint = guarded.getInstanceMetadataEndpoint;
exports.httpRequest = guarded.httpRequest;
exports.providerConfigFromInit = guarded.providerConfigFromInit;
