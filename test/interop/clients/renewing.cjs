/**
 * An application that knows nothing of imds-guard: clients of the stock SDK, made once. For each line on stdin it asks
 * S3 with each, and prints the key ids or the errors.
 */
const { GetObjectCommand, S3Client } = require("@aws-sdk/client-s3");
const { fromIni, fromNodeProviderChain } = require("@aws-sdk/credential-providers");

const more = { endpoint: process.env.S3_STAND_IN, forcePathStyle: true, region: "eu-central-1", maxAttempts: 1 };
const clients = {
  default: new S3Client(more),
  fromIni: new S3Client({ ...more, credentials: fromIni() }),
  fromNodeProviderChain: new S3Client({ ...more, credentials: fromNodeProviderChain() }),
};

async function ask() {
  const answers = {};
  for (const [name, client] of Object.entries(clients)) {
    try {
      const { Body } = await client.send(new GetObjectCommand({ Bucket: "b", Key: "k" }));
      answers[name] = await Body.transformToString();
    } catch (error) {
      answers[name] = `${error.name} ${error.code ?? ""}: ${error.message}`;
    }
  }
  console.log(JSON.stringify(answers));
}

require("node:readline")
  .createInterface({ input: process.stdin })
  .on("line", () => ask())
  .on("close", () => process.exit());
