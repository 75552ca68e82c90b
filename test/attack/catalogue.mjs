// @ts-check
/** Every attack of the matrix: what the impersonator does, by which way, and what the victim is set up with. */
import { BEHAVIOURS } from "../support/behaviours.mjs";
import { createSigner } from "../support/identity-signer.mjs";
import { identityDocument } from "../support/imds-server.mjs";
import { ATTACKER_ACCOUNT } from "../support/impersonator.mjs";

/**
 * @typedef {import("../support/impersonator.mjs").Kind} Kind
 * @typedef {import("../support/machine.mjs").Serve} Serve
 * @typedef {import("../support/machine.mjs").Network} Network
 *
 * @typedef {object} Attack
 * @property {string} name unique
 * @property {Kind} kind
 * @property {string} sentence
 * @property {Serve} serve who answers
 * @property {Network} [network] by which way; default the host's own loopback interface has the address
 * @property {Readonly<Record<string, string>>} [env] what the victim is set up with besides
 * @property {"leaky"} [profile] the victim's config file names an endpoint, too
 * @property {number} [refreshes] how often the victim asks
 * @property {boolean} [afterGenuine] the victim has had its credentials from the genuine service first
 * @property {boolean} [handsOutTokens] what the secret-free probe off EC2 has to see
 * @property {Readonly<Record<string, string>>} [concedes] doors that the victim's settings leave without proof or
 * without a question, and why
 * @property {boolean} [silent] nothing arrives at the one who attacks, or nothing may be asked
 */

/** @type {readonly Kind[]} */
export const KINDS = ["protocol", "content", "timing", "transport", "network", "identity", "configuration", "mid-life"];

/** The instance's own account, region and id; everything else that reaches an application is a leak. */
export const RIGHTFUL = { account: "111122223333", region: "eu-central-1", instanceId: "i-0a1b2c3d4e5f60718" };
/** AWS has a key for each region; this one stands in for that of the instance's. */
export const AWS = createSigner();

/** @type {Serve} */
export const GENUINE = {
  kind: "genuine",
  privateKeyPem: AWS.privateKeyPem,
  identity: { account: RIGHTFUL.account, region: RIGHTFUL.region },
};

const OWN_DOCUMENT = AWS.sign(identityDocument(RIGHTFUL));
const OTHER_INSTANCE = identityDocument({
  account: ATTACKER_ACCOUNT,
  instanceId: "i-0bad0bad0bad0bad0",
  region: RIGHTFUL.region,
});

/**
 * A flawless impersonator that shows this signed document. @param {string} rsa2048 @param
 * {Partial<import("../support/impersonator.mjs").Persona>} [more] @returns {Serve}
 */
const showing = (rsa2048, more = {}) => ({ kind: "behaviour", name: "flawless", persona: { rsa2048, ...more } });
/** @type {Serve} */
const FLAWLESS = { kind: "behaviour", name: "flawless" };
/**
 * The strongest of all: on the same bridge as the instance, it shows the instance's own signed document and keys of its
 * own account.
 */
const RELAYING = showing(OWN_DOCUMENT);

/**
 * Where the attack is not about identity, the impersonator relays the instance's own signed document: the proof holds,
 * and what is left is what the behaviour is about.
 *
 * @type {readonly Attack[]}
 */
const RESPONDERS = BEHAVIOURS.map(({ name, kind, sentence, refreshes, on, connect }) => ({
  name,
  kind,
  sentence,
  ...(refreshes !== undefined && { refreshes }),
  handsOutTokens: on?.token === undefined && connect === undefined,
  serve:
    kind === "identity" ? { kind: "behaviour", name } : { kind: "behaviour", name, persona: { rsa2048: OWN_DOCUMENT } },
}));

/** @type {readonly Omit<Attack, "kind">[]} */
const IDENTITIES = [
  {
    name: "document-relayed",
    sentence: "shows the instance's own signed document, and keys of the attacker's account",
    serve: RELAYING,
  },
  {
    name: "document-of-another-instance",
    sentence:
      "shows the signed document of the attacker's own EC2 instance, and that instance's keys (a Xen host cannot tell its id: expectedAccounts is set)",
    serve: showing(AWS.sign(OTHER_INSTANCE)),
    env: { IMDS_GUARD_EXPECTED_ACCOUNTS: RIGHTFUL.account },
  },
  {
    name: "document-forged",
    sentence: "shows the right document under a signature of its own",
    serve: showing(createSigner().sign(identityDocument(RIGHTFUL))),
  },
  {
    name: "document-of-another-account",
    sentence: "shows a signed document of this instance id in the attacker's account (expectedAccounts is set)",
    serve: showing(AWS.sign(identityDocument({ ...RIGHTFUL, account: ATTACKER_ACCOUNT }))),
    env: { IMDS_GUARD_EXPECTED_ACCOUNTS: RIGHTFUL.account },
  },
  {
    name: "document-of-unknown-region",
    sentence: "shows a document of a region without a known key, signed by itself",
    serve: showing(
      createSigner().sign(
        identityDocument({ account: ATTACKER_ACCOUNT, instanceId: RIGHTFUL.instanceId, region: "zz-nowhere-1" }),
      ),
    ),
  },
  {
    name: "document-certificate-inside",
    sentence: "shows a document signed by itself, for a region whose key it hopes nobody looks up",
    serve: showing(
      createSigner().sign(
        identityDocument({ account: ATTACKER_ACCOUNT, instanceId: RIGHTFUL.instanceId, region: "us-east-1" }),
      ),
    ),
  },
];

/** @type {readonly Omit<Attack, "kind">[]} */
const NETWORKS = [
  {
    name: "neighbour",
    sentence: "answers flawlessly from a neighbour on the link",
    network: "neighbour",
    serve: RELAYING,
    handsOutTokens: true,
  },
  {
    name: "neighbour-ipv6",
    sentence: "answers at fd00:ec2::254 from a neighbour on the link",
    network: "neighbour",
    serve: RELAYING,
    env: { AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE: "IPv6" },
  },
  {
    name: "own-ipv6",
    sentence: "answers at fd00:ec2::254 on an interface of the host itself",
    serve: RELAYING,
    env: { AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE: "IPv6" },
  },
  {
    name: "silent",
    sentence: "takes every packet and never answers",
    network: "silent",
    serve: { kind: "nobody" },
    silent: true,
  },
  {
    name: "silent-ipv6",
    sentence: "takes every IPv6 packet and never answers",
    network: "silent",
    serve: { kind: "nobody" },
    silent: true,
    env: { AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE: "IPv6" },
  },
  {
    name: "no-arp",
    sentence: "has the address routed to a link where nobody answers ARP",
    network: "no-arp",
    serve: { kind: "nobody" },
    silent: true,
  },
  {
    name: "blackhole",
    sentence: "has the address routed into a black hole",
    network: "blackhole",
    serve: { kind: "nobody" },
    silent: true,
  },
  {
    name: "unreachable",
    sentence: "has the address routed as unreachable",
    network: "unreachable",
    serve: { kind: "nobody" },
    silent: true,
  },
  {
    name: "prohibit",
    sentence: "has the address prohibited",
    network: "prohibit",
    serve: { kind: "nobody" },
    silent: true,
  },
  {
    name: "no-route",
    sentence: "leaves no route to the address",
    network: "none",
    serve: { kind: "nobody" },
    silent: true,
  },
];

const endpoint = (/** @type {string} */ url) => ({ AWS_EC2_METADATA_SERVICE_ENDPOINT: url });

/** With attestation off only access keys are held against anything. */
const UNPROVED = {
  metadata: "attestation is off: metadata other than credentials is signed by nobody",
  region: "attestation is off: nothing could vouch for a region, so none is asked for",
};
/** The stock SDK has read the setting itself. */
const UNASKED = { preload: "the SDK does not ask by itself", exec: "the SDK does not ask by itself" };

/** @type {readonly Omit<Attack, "kind" | "serve">[]} */
const CONFIGURATIONS = [
  {
    name: "endpoint-decimal",
    sentence: "has the endpoint set to the address as one number",
    env: endpoint("http://2852039166"),
    silent: true,
  },
  {
    name: "endpoint-hex",
    sentence: "has the endpoint set to the address in hexadecimal",
    env: endpoint("http://0xa9fea9fe"),
    silent: true,
  },
  {
    name: "endpoint-mapped",
    sentence: "has the endpoint set to the address inside an IPv6 one",
    env: endpoint("http://[::ffff:169.254.169.254]"),
    silent: true,
  },
  {
    name: "endpoint-with-user",
    sentence: "has the endpoint set to a URL with a user before the address",
    env: endpoint("http://169.254.169.254@169.254.169.254"),
    silent: true,
  },
  {
    name: "endpoint-with-path",
    sentence: "has the endpoint set to a path on the address",
    env: endpoint("http://169.254.169.254/relay/"),
    silent: true,
  },
  {
    name: "endpoint-elsewhere",
    sentence: "has the endpoint set to a host on the network",
    network: "neighbour",
    env: endpoint("http://192.0.2.1"),
    silent: true,
  },
  {
    name: "endpoint-by-name",
    sentence: "has the endpoint set to a host name",
    env: endpoint("http://imds.example.com"),
    silent: true,
  },
  { name: "endpoint-in-profile", sentence: "has the endpoint set in the profile", profile: "leaky", silent: true },
  {
    name: "guard-endpoint",
    sentence: "has the guard's own endpoint set, which only mode allow would honour",
    env: { IMDS_GUARD_ENDPOINT: "http://2852039166" },
    silent: true,
  },
  {
    name: "proxy",
    sentence: "is the HTTP proxy of a Node.js that obeys the environment",
    env: { NODE_USE_ENV_PROXY: "1", HTTP_PROXY: "http://169.254.169.254:80", http_proxy: "http://169.254.169.254:80" },
    handsOutTokens: true,
  },
  {
    name: "disabled",
    sentence: "answers although AWS_EC2_METADATA_DISABLED is set",
    env: { AWS_EC2_METADATA_DISABLED: "true" },
    silent: true,
    concedes: UNASKED,
  },
  {
    name: "disabled-odd-word",
    sentence: "answers although AWS_EC2_METADATA_DISABLED is set, to a word that is neither",
    env: { AWS_EC2_METADATA_DISABLED: "Yes" },
    silent: true,
    concedes: UNASKED,
  },
  {
    name: "deny",
    sentence: "answers although the guard's mode is deny",
    env: { IMDS_GUARD_MODE: "deny" },
    silent: true,
  },
  {
    name: "wrong-word",
    sentence: "hopes that a mistyped mode opens something",
    env: { IMDS_GUARD_MODE: "ec2_only" },
    silent: true,
  },
  {
    name: "unknown-variable",
    sentence: "hopes that a mistyped variable is passed over",
    env: { IMDS_GUARD_EXPECTED_ACCOUNT: RIGHTFUL.account },
    silent: true,
  },
  {
    name: "contradiction",
    sentence: "hopes that accounts with nothing in common mean any",
    env: { IMDS_GUARD_EXPECTED_ACCOUNTS: "1111" },
    silent: true,
  },
  { name: "allow", sentence: "meets a victim that may ask anywhere (mode allow)", env: { IMDS_GUARD_MODE: "allow" } },
  {
    name: "allow-unproved",
    sentence: "meets a victim that may ask anywhere and wants no proof, but knows its account",
    env: { IMDS_GUARD_MODE: "allow", IMDS_GUARD_ATTESTATION: "off", IMDS_GUARD_EXPECTED_ACCOUNTS: RIGHTFUL.account },
    concedes: UNPROVED,
  },
  {
    name: "unproved",
    sentence: "meets a victim that wants no proof, but knows its account",
    env: { IMDS_GUARD_ATTESTATION: "off", IMDS_GUARD_EXPECTED_ACCOUNTS: RIGHTFUL.account },
    concedes: UNPROVED,
  },
  {
    name: "v1-allowed",
    sentence: "offers IMDSv1 only, to a victim whose environment allows it",
    env: { AWS_EC2_METADATA_V1_DISABLED: "false" },
  },
];

/** @type {readonly Omit<Attack, "kind" | "afterGenuine">[]} */
const TAKEOVERS = [
  {
    name: "takeover-flawless",
    sentence: "takes the address over from the genuine service, flawlessly",
    serve: FLAWLESS,
  },
  {
    name: "takeover-relaying",
    sentence: "takes the address over and relays the instance's own document",
    serve: RELAYING,
  },
  {
    name: "takeover-other-instance",
    sentence: "takes the address over with the signed document of another instance",
    serve: showing(AWS.sign(OTHER_INSTANCE)),
  },
  {
    name: "takeover-v1",
    sentence: "takes the address over and offers IMDSv1 only",
    serve: { kind: "behaviour", name: "v1-404" },
  },
  {
    name: "takeover-hang",
    sentence: "takes the address over and never answers",
    serve: { kind: "behaviour", name: "hang-token" },
  },
  {
    name: "takeover-endless",
    sentence: "takes the address over and sends without end",
    serve: { kind: "behaviour", name: "endless-creds", persona: { rsa2048: OWN_DOCUMENT } },
  },
];

/** @type {readonly Attack[]} */
export const ATTACKS = [
  ...RESPONDERS,
  ...IDENTITIES.map((attack) => ({ ...attack, kind: /** @type {const} */ ("identity"), handsOutTokens: true })),
  ...NETWORKS.map((attack) => ({ ...attack, kind: /** @type {const} */ ("network") })),
  ...CONFIGURATIONS.map((attack) => ({
    ...attack,
    kind: /** @type {const} */ ("configuration"),
    serve: attack.name === "v1-allowed" ? /** @type {Serve} */ ({ kind: "behaviour", name: "v1-404" }) : RELAYING,
  })),
  ...TAKEOVERS.map((attack) => ({ ...attack, kind: /** @type {const} */ ("mid-life"), afterGenuine: true })),
].toSorted((left, right) => KINDS.indexOf(left.kind) - KINDS.indexOf(right.kind));

/** Those whose memory is measured in a process of its own. @param {Attack} attack */
export const isHeavy = ({ name }) =>
  /endless|flood|bomb|\dmb|giant|\d+k|big-|gigabyte|huge|binary|deep|header|set-cookie|extra-bytes/.test(name);
