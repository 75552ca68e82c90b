/** The names that both ends of IMDSv2 use (EC2 user guide, "Use the Instance Metadata Service"). */

/** Asked with PUT for a session token. */
export const TOKEN_PATH = "/latest/api/token";
/** Carries the session token of a GET. A secret. */
export const TOKEN_HEADER = "x-aws-ec2-metadata-token";
/** The life of a token in seconds: asked for in the request, stated in the answer. */
export const TTL_HEADER = "x-aws-ec2-metadata-token-ttl-seconds";
/** Longest life of a token: six hours. */
export const MAX_TTL_SECONDS = 21_600;
/** Lists the name of the instance's role; behind it, that name leads to credentials. */
export const ROLE_LIST_PATH = "/latest/meta-data/iam/security-credentials/";
/** Names the instance profile. */
export const INFO_PATH = "/latest/meta-data/iam/info";
/** The signed instance identity document: PKCS #7 by RSA with a key of 2048 bits. */
export const IDENTITY_PATH = "/latest/dynamic/instance-identity/rsa2048";

/** What changes the service of an instance, as it is pasted into a shell. */
export const MODIFY_OPTIONS = "aws ec2 modify-instance-metadata-options --instance-id <id>";
