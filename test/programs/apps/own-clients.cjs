// @ts-nocheck
/** An application of which other libraries ask IMDS, with code of their own and none of the AWS SDK's. */
const IMDS = "http://169.254.169.254/latest";

const doors = {
  async google() {
    const { AwsClient } = require("google-auth-library");
    const client = new AwsClient({
      type: "external_account",
      audience: "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/aws",
      subject_token_type: "urn:ietf:params:aws:token-type:aws4_request",
      token_url: "https://sts.googleapis.com/v1/token",
      credential_source: {
        environment_id: "aws1",
        region_url: `${IMDS}/meta-data/placement/availability-zone`,
        url: `${IMDS}/meta-data/iam/security-credentials`,
        regional_cred_verification_url:
          "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15",
        imdsv2_session_token_url: `${IMDS}/api/token`,
      },
    });
    // A request to STS that Google would send: the key id and the region in it are what IMDS told.
    const request = decodeURIComponent(await client.retrieveSubjectToken());
    return /Credential=([^/]+)\/\d+\/([^/]+)/.exec(request)?.slice(1).join(" ");
  },
  async detector() {
    const { awsEc2Detector } = require("@opentelemetry/resource-detector-aws");
    const { detectResources } = require("@opentelemetry/resources");
    const resource = await detectResources({ detectors: [awsEc2Detector] });
    await resource.waitForAsyncAttributes?.();
    return resource.attributes["cloud.account.id"];
  },
  async google_detector() {
    return (await require("gcp-metadata").isAvailable()) ? "available" : undefined;
  },
};

async function main(names) {
  const outcome = {};
  for (const name of names)
    try {
      outcome[name] = { value: await doors[name]() };
    } catch (error) {
      outcome[name] = { error: error.name, code: error.code, message: String(error.message).slice(0, 300) };
    }
  process.stdout.write(JSON.stringify(outcome));
}

void main(process.argv.slice(2));
