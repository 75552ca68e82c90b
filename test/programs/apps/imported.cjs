// @ts-nocheck
/** An application that imports the guard and gives what it has to clients of whichever SDK version is installed. */
const { createServer } = require("node:http");

async function signedWith(send) {
  const signed = [];
  const standIn = createServer((request, response) => {
    const scope = /Credential=([^/]+)\/\d+\/([^/]+)/.exec(request.headers.authorization ?? "");
    signed.push(`${scope?.slice(1).join(" ")}`);
    response.setHeader("Content-Type", "application/xml");
    response.end("<ListAllMyBucketsResult><Owner><ID>x</ID></Owner></ListAllMyBucketsResult>");
  });
  await new Promise((resolve) => standIn.listen(0, "127.0.0.1", resolve));
  try {
    await send(`http://127.0.0.1:${standIn.address().port}`);
    return signed.at(-1);
  } finally {
    standIn.closeAllConnections();
    await new Promise((resolve) => standIn.close(resolve));
  }
}

const doors = (load) => ({
  async chain() {
    return (await (await load("imds-guard")).fromNodeProviderChain()()).accessKeyId;
  },
  async instance() {
    return (await (await load("imds-guard")).fromInstanceMetadata()()).accessKeyId;
  },
  async ini() {
    const { fromIni } = await load("imds-guard");
    return (await fromIni({ profile: "role", roleAssumer: async (source) => source })()).accessKeyId;
  },
  async s3() {
    const { fromNodeProviderChain, fromGuardedRegion } = await load("imds-guard");
    const { S3Client, ListBucketsCommand } = await load("@aws-sdk/client-s3");
    return signedWith((endpoint) =>
      new S3Client({
        credentials: fromNodeProviderChain(),
        region: fromGuardedRegion(),
        endpoint,
        forcePathStyle: true,
        maxAttempts: 1,
      }).send(new ListBucketsCommand({})),
    );
  },
  async client() {
    const { createGuard } = await load("imds-guard");
    const { S3Client, ListBucketsCommand } = await load("@aws-sdk/client-s3");
    return signedWith((endpoint) =>
      new S3Client({ ...createGuard().clientConfig(), endpoint, forcePathStyle: true, maxAttempts: 1 }).send(
        new ListBucketsCommand({}),
      ),
    );
  },
  async metadata() {
    const { MetadataService } = await load("imds-guard");
    return new MetadataService().request("/latest/meta-data/placement/region", {});
  },
});

module.exports = async function main(load, names) {
  const outcome = {};
  const all = doors(load);
  for (const name of names.length > 0 ? names : Object.keys(all)) {
    try {
      outcome[name] = { value: await all[name]() };
    } catch (error) {
      outcome[name] = {
        error: error.name,
        code: error.code ?? error.cause?.code,
        message: String(error.message).slice(0, 200),
      };
    }
  }
  process.stdout.write(JSON.stringify(outcome));
};

if (require.main === module) void module.exports(async (name) => require(name), process.argv.slice(2));
