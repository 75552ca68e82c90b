/** What code may say of credentials that a certificate gives, and how all that was said is put together. */
import { invalidArgument } from "../base/errors.js";
import type { Signer } from "./create-session.js";
import type { Source } from "./identity.js";

/** PEM text, the path of a file that holds it, or a function that fetches the text. */
export type PemOption = string | (() => string | Uint8Array | Promise<string | Uint8Array>);

/** What code may give for either kind. */
export interface CertificateOptions {
  /**
   * The certificate, and behind it its intermediates: PEM text, the path of a file (read again at each renewal), or a
   * function that fetches the text.
   */
  readonly certificate?: PemOption | undefined;
  /** The private key: PEM text, the path of a file, or a function that fetches the text. */
  readonly privateKey?: PemOption | undefined;
  /** Passphrase of an encrypted key, or a function that fetches it. */
  readonly passphrase?: PemOption | undefined;
  /** Intermediates that do not stand behind the certificate: PEM text, a path, or a function. */
  readonly certificateChain?: PemOption | undefined;
}

/** What code may give for Roles Anywhere; what it leaves out is taken from environment and profile. */
export interface RolesAnywhereOptions extends CertificateOptions {
  readonly trustAnchorArn?: string | undefined;
  readonly profileArn?: string | undefined;
  readonly roleArn?: string | undefined;
  /** Seconds, 900 to 43200. Default 3600; profile and role of Roles Anywhere may allow less. */
  readonly durationSeconds?: number | undefined;
  /** Name of the session, where the Roles Anywhere profile accepts one. */
  readonly roleSessionName?: string | undefined;
  /** Default: that of the trust anchor. */
  readonly region?: string | undefined;
  /** Another endpoint than AWS's for the region: `https://HOST[:PORT]`, or plain HTTP to loopback. */
  readonly endpoint?: string | undefined;
  /**
   * Signs with a key that is kept elsewhere (PKCS#11, TPM, KMS), instead of `privateKey`. Gets the whole string to
   * sign, and gives the raw signature: PKCS#1 v1.5 with SHA-256 for RSA, DER with SHA-256 for ECDSA.
   */
  readonly sign?: Signer | undefined;
}

/** What code may give for a role alias of AWS IoT. */
export interface IotOptions extends CertificateOptions {
  /** Host of `aws iot describe-endpoint --endpoint-type iot:CredentialProvider`. */
  readonly endpoint?: string | undefined;
  readonly roleAlias?: string | undefined;
  readonly thingName?: string | undefined;
}

/** A text and how the user calls it. */
export interface NamedText {
  readonly text: string;
  readonly setting: string;
}

/** Everything that was said, by the words of the settings. */
export interface CertificateSettings {
  readonly certificate?: Source | undefined;
  readonly private_key?: Source | undefined;
  readonly sign?: Signer | undefined;
  readonly passphrase_file?: Source | undefined;
  readonly intermediates?: Source | undefined;
  readonly trust_anchor_arn?: NamedText | undefined;
  readonly profile_arn?: NamedText | undefined;
  readonly role_arn?: NamedText | undefined;
  readonly duration?: NamedText | undefined;
  readonly session_name?: NamedText | undefined;
  readonly region?: NamedText | undefined;
  readonly endpoint?: NamedText | undefined;
  readonly role_alias?: NamedText | undefined;
  readonly thing_name?: NamedText | undefined;
  /** Whether the proxy of the environment counts. Default true. */
  readonly proxy?: boolean | undefined;
}

/** Words whose value is a text that is read from somewhere. */
export const FILE_WORDS: readonly string[] = ["certificate", "private_key", "passphrase_file", "intermediates"];

/** Options of code: names, types, and whether a string is PEM text or a path. */
export function settingsOfCode(
  options: RolesAnywhereOptions & IotOptions,
  allowed: readonly string[],
): CertificateSettings {
  const settings: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options) as [string, unknown][]) {
    if (value === undefined) continue;
    if (!allowed.includes(name)) throw invalidArgument("init", name, allowed.join(", "));
    const word = WORD_OF[name];
    if (word === undefined) continue;
    if (name === "sign") {
      if (typeof value !== "function") throw invalidArgument(name, value, "a function");
      settings[word] = value;
    } else if (FILE_WORDS.includes(word)) {
      settings[word] = sourceOf(name, value);
    } else if (name === "durationSeconds") {
      if (typeof value !== "number") throw invalidArgument(name, value, "a number of seconds");
      settings[word] = { text: String(value), setting: name };
    } else {
      if (typeof value !== "string") throw invalidArgument(name, value, "a string");
      settings[word] = { text: value, setting: name };
    }
  }
  if (settings["sign"] !== undefined && settings["private_key"] !== undefined)
    throw invalidArgument("sign", options.sign, "without privateKey: one of them makes the signature");
  return settings;
}

const WORD_OF: Readonly<Record<string, keyof CertificateSettings>> = {
  certificate: "certificate",
  privateKey: "private_key",
  passphrase: "passphrase_file",
  certificateChain: "intermediates",
  sign: "sign",
  trustAnchorArn: "trust_anchor_arn",
  profileArn: "profile_arn",
  roleArn: "role_arn",
  durationSeconds: "duration",
  roleSessionName: "session_name",
  region: "region",
  endpoint: "endpoint",
  roleAlias: "role_alias",
  thingName: "thing_name",
};

function sourceOf(name: string, value: unknown): Source {
  if (typeof value === "function") return { fetch: value as () => string, setting: name };
  if (typeof value !== "string" || value === "")
    throw invalidArgument(name, typeof value === "string" ? value : typeof value, "text, or a function that gives it");
  // A passphrase is what it is; of the others, what is no PEM text is the path of a file.
  if (name === "passphrase" || value.includes("-----BEGIN ")) return { text: value, setting: name };
  return { file: value, setting: name };
}

/** Puts them together; the later win. */
export function mergeSettings(...layers: readonly CertificateSettings[]): CertificateSettings {
  const all: CertificateSettings = Object.assign({}, ...layers) as CertificateSettings;
  const signing = layers.findLast(({ sign, private_key }) => sign !== undefined || private_key !== undefined);
  return signing?.sign === undefined ? { ...all, sign: undefined } : { ...all, private_key: undefined };
}
