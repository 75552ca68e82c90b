/** A service that is being tested: it asks for credentials, and what it does where there are none is its own affair. */
const { createGuard, fromNodeProviderChain, isImdsGuardError } = require("imds-guard");
const { installFirewall } = require("imds-guard/firewall");
const { S3Client } = require("@aws-sdk/client-s3");
const { fromInstanceMetadata } = require("@aws-sdk/credential-providers");
const http = require("node:http");

exports.start = async () => (await installFirewall()).mode;
exports.refusal = async () => {
  const error = await createGuard()
    .credentials()
    .then(
      () => undefined,
      (reason) => reason,
    );
  return { branded: isImdsGuardError(error), code: error?.code };
};
exports.chain = async () =>
  fromNodeProviderChain()().then(
    ({ accessKeyId }) => accessKeyId,
    ({ code }) => code,
  );
exports.client = async () =>
  new S3Client({ ...createGuard().clientConfig(), region: "eu-central-1" }).config.credentials().then(
    ({ accessKeyId }) => accessKeyId,
    ({ code }) => code,
  );
/** The SDK as it is: with the firewall, or led through the preload. */
exports.stock = async () =>
  fromInstanceMetadata({ maxRetries: 0, timeout: 500 })().then(
    ({ accessKeyId }) => accessKeyId,
    // The SDK's own error, or the firewall's.
    ({ name, code }) => (name === "CredentialsProviderError" || code === "EACCES" ? "refused" : `${name} ${code}`),
  );
exports.forged = async () =>
  new Promise((resolve) => {
    http
      .get("http://169.254.169.254/latest/meta-data/", (response) => {
        response.resume();
        resolve(response.statusCode);
      })
      .on("error", ({ code }) => resolve(code));
  });
