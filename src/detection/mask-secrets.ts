/** Takes secrets out of what is quoted from a log: tokens, keys and signatures in URLs, headers and command lines. */

const NAMED =
  /((?:x-aws-ec2-metadata-token|x-amz-security-token|x-amz-signature|x-amz-credential|aws_?secret_?access_?key|aws_?session_?token|secretaccesskey|sessiontoken|authorization|password|passwd|secret|token|signature|sig|api_?key)["']?(?:\s*[:=]\s*|%3d|%3a)["']?(?:(?:bearer|basic|aws4-hmac-sha256) )?)([^\s"'&,;|<>]+)/gi;
const ACCESS_KEY = /\b(AKIA|ASIA)[A-Z2-7]{8,}([A-Z2-7]{4})\b/g;
const BASIC_AUTH = /(\b[a-z][a-z0-9+.-]{0,20}:\/\/[^\s/@:]*:)([^\s/@]+)(?=@)/gi;
const RUN = /[A-Za-z0-9+_=-]{40,}/g;
const SECRET_KEY = /(?<![A-Za-z0-9/+=])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])/g;

/** What stands in the place of a secret. */
export const MASK = "***";

/**
 * The text with every secret that can be recognised replaced by {@link MASK}: values of parameters and headers that
 * name one, passwords in URLs, and any run of 40 or more characters of Base64 with upper and lower case and digits.
 * Access key ids keep their first and last four characters.
 */
export function maskSecrets(text: string): string {
  return text
    .replace(NAMED, (_, name: string) => name + MASK)
    .replace(BASIC_AUTH, (_, before: string) => before + MASK)
    .replace(ACCESS_KEY, (_, kind: string, last: string) => kind + MASK + last)
    .replace(RUN, maskIfRandom)
    .replace(SECRET_KEY, maskIfRandom);
}

function maskIfRandom(run: string): string {
  return /[a-z]/.test(run) && /[A-Z]/.test(run) && /\d/.test(run) ? MASK : run;
}
