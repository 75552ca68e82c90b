// @ts-nocheck
/** An application that knows nothing of imds-guard: the stock SDK, nothing configured, every door it has to IMDS. */
const { createServer } = require("node:http");

/** The access key id that each signed request carried. */
const signed = [];
const standIn = createServer((request, response) => {
  signed.push(
    `${/Credential=([^/]+)\/\d+\/([^/]+)/
      .exec(request.headers.authorization ?? "")
      ?.slice(1)
      .join(" ")}`,
  );
  response.setHeader("Content-Type", "application/xml");
  let asked = "";
  request.on("data", (chunk) => {
    asked += chunk;
  });
  request.on("end", () => response.end(answerTo(request.method, new URLSearchParams(asked))));
});

function answerTo(method, form) {
  if (method !== "POST") return "<ListAllMyBucketsResult><Owner><ID>x</ID></Owner></ListAllMyBucketsResult>";
  if (form.get("Action") !== "AssumeRole")
    return "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>111122223333</Account></GetCallerIdentityResult></GetCallerIdentityResponse>";
  // The role is of whichever account the key of this variable is.
  const credentials = `<AccessKeyId>${process.env.ROLE_KEY}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>token</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>`;
  return `<AssumeRoleResponse><AssumeRoleResult><Credentials>${credentials}</Credentials></AssumeRoleResult></AssumeRoleResponse>`;
}

async function signedWith(send) {
  signed.length = 0;
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
    return (await (await load("@aws-sdk/credential-providers")).fromNodeProviderChain()()).accessKeyId;
  },
  async instance() {
    return (await (await load("@aws-sdk/credential-providers")).fromInstanceMetadata()()).accessKeyId;
  },
  async ini() {
    const { fromIni } = await load("@aws-sdk/credential-providers");
    return (await fromIni({ profile: "role", roleAssumer: async (source) => source })()).accessKeyId;
  },
  async keys() {
    const { fromIni } = await load("@aws-sdk/credential-providers");
    return (await fromIni({ profile: "keys" })()).accessKeyId;
  },
  async temporary() {
    const { fromTemporaryCredentials } = await load("@aws-sdk/credential-providers");
    let key;
    await signedWith(async (endpoint) => {
      const provider = fromTemporaryCredentials({
        params: { RoleArn: "arn:aws:iam::111122223333:role/x" },
        clientConfig: { endpoint, region: "eu-central-1", maxAttempts: 1 },
      });
      key = (await provider()).accessKeyId;
    });
    return key;
  },
  async s3() {
    const { S3Client, ListBucketsCommand } = await load("@aws-sdk/client-s3");
    return signedWith((endpoint) =>
      new S3Client({ endpoint, forcePathStyle: true, maxAttempts: 1 }).send(new ListBucketsCommand({})),
    );
  },
  async sts() {
    const { STSClient, GetCallerIdentityCommand } = await load("@aws-sdk/client-sts");
    return signedWith((endpoint) => new STSClient({ endpoint, maxAttempts: 1 }).send(new GetCallerIdentityCommand({})));
  },
  async region() {
    const { STSClient } = await load("@aws-sdk/client-sts");
    return new STSClient({}).config.region();
  },
  async auto() {
    const { STSClient } = await load("@aws-sdk/client-sts");
    process.env.AWS_REGION = "eu-west-1";
    try {
      return await new STSClient({ defaultsMode: "auto" }).config.defaultsMode();
    } finally {
      delete process.env.AWS_REGION;
    }
  },
  async metadata() {
    const { MetadataService } = await load("@aws-sdk/ec2-metadata-service");
    return new MetadataService({ retries: 0, httpOptions: { timeout: 1000 } }).request(
      "/latest/meta-data/instance-id",
      {},
    );
  },
  async metadataRegion() {
    const { MetadataService } = await load("@aws-sdk/ec2-metadata-service");
    return new MetadataService({ retries: 0, httpOptions: { timeout: 1000 } }).request(
      "/latest/meta-data/placement/region",
      {},
    );
  },
  async v2() {
    process.env.AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE = "1";
    const loaded = await load("aws-sdk");
    const AWS = loaded.default ?? loaded;
    return (await new AWS.CredentialProviderChain().resolvePromise()).accessKeyId;
  },
  async v2Metadata() {
    const loaded = await load("aws-sdk");
    const AWS = loaded.default ?? loaded;
    return new Promise((resolve, reject) => {
      new AWS.MetadataService({ httpOptions: { timeout: 1000 }, maxRetries: 0 }).request(
        "/latest/meta-data/placement/region",
        (error, data) => (error ? reject(error) : resolve(data)),
      );
    });
  },
  // A request that a user forged: it has to fail wherever the SDK's own succeed.
  async ssrf() {
    return (
      await fetch("http://169.254.169.254/latest/api/token", {
        method: "PUT",
        headers: { "x-aws-ec2-metadata-token-ttl-seconds": "60" },
        signal: AbortSignal.timeout(2000),
      })
    ).text();
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
