/** Secrets are recognised wherever a log may carry them, and what is no secret stays readable. */
import { describe, expect, it } from "vitest";
import { maskSecrets } from "../../src/detection/mask-secrets.js";
import { fc } from "../support/properties.js";

const IMDS_TOKEN = "AQAEAJk7nQh3Zp0uT4kqv1dX2lYb8sWcRmEo5gHfJ6tKiLzN9xBvDA==";
const SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKE1";

describe("masked", () => {
  it.each([
    ["header", `X-aws-ec2-metadata-token: ${IMDS_TOKEN}`, "X-aws-ec2-metadata-token: ***"],
    [
      "command line",
      `curl -H "X-aws-ec2-metadata-token: ${IMDS_TOKEN}" http://169.254.169.254/`,
      'curl -H "X-aws-ec2-metadata-token: ***" http://169.254.169.254/',
    ],
    [
      "pre-signed URL",
      `/b/k?X-Amz-Security-Token=FwoGZXIvYXdzEBc&X-Amz-Signature=0a1b2c&n=1`,
      "/b/k?X-Amz-Security-Token=***&X-Amz-Signature=***&n=1",
    ],
    ["token on its own", `got ${IMDS_TOKEN} from it`, "got *** from it"],
    ["secret key on its own", `key ${SECRET_KEY} end`, "key *** end"],
    [
      "JSON of the credentials",
      `{"SecretAccessKey":"${SECRET_KEY}","Token":"abc"}`,
      '{"SecretAccessKey":"***","Token":"***"}',
    ],
    ["access key id", "used ASIAQEXAMPLEKEYIDXYZ here", "used ASIA***DXYZ here"],
    ["password in a URL", "http://bob:hunter2@proxy.example:3128/", "http://bob:***@proxy.example:3128/"],
    ["bearer", "Authorization: Bearer abc.def.ghi", "Authorization: Bearer ***"],
    ["encoded parameter", "u=http%3A%2F%2Fx%2F%3Ftoken%3Dabcdef&y=1", "u=http%3A%2F%2Fx%2F%3Ftoken%3D***&y=1"],
  ])("%s", (_, text, expected) => expect(maskSecrets(text)).toBe(expected));

  it("leaves nothing of a token or key, wherever it stands", () => {
    const base64 = fc
      .array(fc.constantFrom(..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"), {
        minLength: 52,
        maxLength: 70,
      })
      .map((chars) => `aB3${chars.join("")}==`);
    const around = fc.constantFrom(" ", '"', "\n", ",", "?t=", "/x?", "(", "<");
    fc.assert(
      fc.property(base64, around, around, (secret, before, after) => {
        expect(maskSecrets(`GET ${before}${secret}${after} HTTP/1.1`)).not.toContain(secret.slice(4, 40));
      }),
    );
  });
});

describe("kept", () => {
  it.each([
    "/latest/meta-data/iam/security-credentials/backup-role",
    "/latest/meta-data/identity-credentials/ec2/security-credentials/ec2-instance",
    "/latest/api/token",
    "X-AWS-EC2-METADATA-TOKEN-TTL-SECONDS",
    "X-aws-ec2-metadata-token-ttl-seconds: 21600",
    "arn:aws:sts::123456789012:assumed-role/web/i-0123456789abcdef0",
    "aws-sdk-js/3.1169.0 ua/2.1 os/linux#6.1 lang/js md/nodejs#22.23.3",
    "fd00:0ec2:0000:0000:0000:0000:0000:0254",
    "0b9c7f3e-6a55-4c1d-9d4c-000000000001",
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
  ])("%s", (text) => expect(maskSecrets(text)).toBe(text));

  it("masking twice is masking once, and never throws", () => {
    fc.assert(
      fc.property(
        fc
          .array(
            fc.oneof(
              fc.string({ maxLength: 12 }),
              fc.constantFrom(
                "token=",
                "secret: ",
                "ASIAQEXAMPLEKEYIDXYZ",
                "http://a:b@",
                "=",
                "***",
                "\u00e9",
                "Ab1".repeat(20),
              ),
            ),
            { maxLength: 12 },
          )
          .map((parts) => parts.join("")),
        (text) => {
          expect(maskSecrets(maskSecrets(text))).toBe(maskSecrets(text));
        },
      ),
    );
  });
});
