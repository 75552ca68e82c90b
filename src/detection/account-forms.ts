/**
 * Finds what tells an AWS account in a line of any log: credentials of signed requests, ids of principals, names of hosts,
 * ARNs and fields, behind percent-encoding (five layers), escapes of JSON and of servers, entities of HTML and the `=3D` and
 * `=2F` of mail. Base64 is not undone here. What it returns holds no part of a signature.
 */
import { accountOfAccessKey, accountOfPrincipalId } from "../aws/access-key.js";
import { withoutEscapes, withoutPercent } from "../base/metadata-mention.js";

/**
 * How an account was told:
 * - `sigv4`, `sigv4a`, `sigv2`: the Authorization header of a signed request;
 * - `presigned`, `presigned-v2`: a presigned URL; `post-form`: fields of a signed form;
 * - `instance-session`: the principal of an instance's credentials (`AROA...:i-...`);
 * - `host-name`: a name such as `<account>.ddb.eu-central-1.amazonaws.com`;
 * - `access-key`, `principal`, `arn`, `account-id`: an id, a resource name or a field.
 */
export type AccountForm =
  | "sigv4"
  | "sigv4a"
  | "sigv2"
  | "presigned"
  | "presigned-v2"
  | "post-form"
  | "instance-session"
  | "host-name"
  | "access-key"
  | "principal"
  | "arn"
  | "account-id";

/** The forms, those that say most of who signed first. */
export const ACCOUNT_FORMS: readonly AccountForm[] = [
  "sigv4",
  "sigv4a",
  "sigv2",
  "post-form",
  "presigned",
  "presigned-v2",
  "instance-session",
  "host-name",
  "access-key",
  "principal",
  "arn",
  "account-id",
];

/** One account as a line tells it. */
export interface AccountSeen {
  readonly form: AccountForm;
  /** 12 digits; undefined for a key or a principal that tells none. */
  readonly account: string | undefined;
  /** The key id, not masked, where there is one. */
  readonly accessKeyId?: string;
  readonly region?: string;
  /** As in the scope of the credential, the ARN, or the name of the host: `s3`, `dynamodb`. */
  readonly service?: string;
  /** Where the form is a name, that name; else the host of the URL in which the credential stands. */
  readonly host?: string;
}

/** What a finding tells of the foreign account. */
export interface ForeignAccount {
  /** 12 digits. */
  readonly account: string;
  /** How the line tells it. */
  readonly form: AccountForm;
  /** First and last four characters. */
  readonly accessKeyId?: string;
  readonly region?: string;
  readonly service?: string;
  /** Host that was asked, or the name that tells the account. */
  readonly host?: string;
  /** How often the account was seen so far in this scan, with this time. */
  readonly count: number;
  /** ISO 8601: the earliest and the latest of them, where the logs tell. */
  readonly first?: string;
  readonly last?: string;
}

/** How often percent-encoding is undone. */
const MAX_LAYERS = 5;
/** Characters before an id, as they stand, that say in what it stands; encoded ones are longer. */
const BEFORE = 320;
/** Characters before it, after decoding: no pattern here looks further. */
const PLAIN_BEFORE = 200;
/** Characters behind it: date, region, service and `aws4_request`, or the rest of a name. */
const AFTER = 224;
/** Characters of a URL before its credential. */
const URL_BEFORE = 2_048;

/** Ids of keys and principals, and numbers that may be those of accounts. Where each ends is looked at then. */
const ANCHOR = /A(?:[KS]IA[A-Z2-7]{16}|(?:ROA|IDA|IPA)[A-Z0-9]{4,28})|[0-9]{12,}/g;
/** Letters and digits that are encoded, which no encoder has a reason to do. */
const HIDDEN = /%(?:25){0,8}(?:3[0-9]|[46][1-9a-fA-F]|[57][0-9aA])|\\(?:u00|x)(?:3[0-9]|[46][1-9a-fA-F]|[57][0-9aA])/;

/** What is known of a line before it is looked at. */
export interface LineContext {
  /** Accounts that nobody asks about: what is told of them is passed over. Default: none. */
  readonly passOver?: ReadonlySet<string>;
  /** The account of sessions whose principal does not tell it. Called where there is one. */
  readonly accountOfSession?: () => string | undefined;
}

/** Every account that a line tells, each key once in the form that says most. Takes time in proportion to the line. */
export function accountsIn(text: string, context: LineContext = {}): readonly AccountSeen[] {
  const found: Found = new Map();
  look(text, context, found);
  if (HIDDEN.test(text)) {
    const plain = decoded(text);
    if (plain !== text) look(plain, context, found);
  }
  return [...found.values()];
}

type Found = Map<string, AccountSeen>;

function look(text: string, context: LineContext, found: Found): void {
  const line = new Line(text);
  for (const { 0: written, index } of text.matchAll(ANCHOR)) {
    const second = written.charCodeAt(1);
    const kind = second === K || second === S ? "key" : second === R || second === I ? "principal" : "number";
    if (isPassedOver(written, kind, text, index, context.passOver)) continue;
    const end = index + written.length;
    const after = decoded(text.slice(end, end + AFTER));
    if (IN_WORD.test(after)) continue;
    const before = decoded(text.slice(Math.max(0, index - BEFORE), index) + written).slice(-PLAIN_BEFORE);
    let seen: AccountSeen | undefined;
    if (kind === "key") seen = keyAt(before, after, line, index);
    else if (kind === "principal") seen = principalAt(before, after, context);
    else seen = numberAt(before, after);
    if (seen === undefined) continue;
    const name = `${seen.account ?? ""} ${seen.accessKeyId ?? seen.form}`;
    const other = found.get(name);
    if (other === undefined || rank(seen) < rank(other)) found.set(name, seen);
  }
}

const [I, K, R, S] = Array.from("IKRS", (letter) => letter.charCodeAt(0));
/** Before digits these begin an escape, whose first digits they are then: `%22`, `u0022`, `x22`. */
const BEGINS_ESCAPE = /[%ux]/;

/** What can be told of an id before anything around it is decoded. */
function isPassedOver(
  written: string,
  kind: "key" | "principal" | "number",
  text: string,
  index: number,
  passOver: ReadonlySet<string> | undefined,
): boolean {
  if (kind === "number" && written.length > 12) return !BEGINS_ESCAPE.test(text.charAt(index - 1));
  if (passOver === undefined || passOver.size === 0) return false;
  if (kind === "number") return passOver.has(written);
  const owner = kind === "key" ? accountOfAccessKey(written) : accountOfPrincipalId(written);
  return owner.kind === "known" && passOver.has(owner.accountId);
}

/** A line, and what each of its keys would ask of the whole of it. */
class Line {
  readonly text: string;
  #hasPolicy: boolean | undefined;
  #isPresigned: boolean | undefined;

  constructor(text: string) {
    this.text = text;
  }

  /** Whether it has a field `policy`, as signed forms do. */
  get hasPolicy(): boolean {
    return (this.#hasPolicy ??= POLICY.test(this.text));
  }

  /** Whether it has a parameter that only presigned URLs have. */
  get isPresigned(): boolean {
    return (this.#isPresigned ??= /x-amz-(?:expires|signedheaders)/i.test(this.text));
  }
}

function rank({ form, region, service }: AccountSeen): number {
  return ACCOUNT_FORMS.indexOf(form) * 4 + (region === undefined ? 2 : 0) + (service === undefined ? 1 : 0);
}

/** The text behind escapes, entities and layers of percent-encoding. */
function decoded(text: string): string {
  if (!ENCODED.test(text)) return text;
  let plain = text;
  for (let layers = 0; layers <= MAX_LAYERS; layers++) {
    const before = plain;
    // JSON in JSON has more of them around each quote, layer by layer.
    if (plain.includes("\\")) plain = withoutEscapes(plain).replace(/\\+(?=["'])/g, "");
    if (plain.includes("%")) plain = withoutPercent(plain);
    if (plain.includes("&")) plain = plain.replace(ENTITY, entity);
    if (plain.includes("=3D") || plain.includes("=2F")) plain = plain.replace(/=3D/g, "=").replace(/=2F/g, "/");
    if (plain === before) break;
  }
  return plain;
}

const ENCODED = /[\\%&]|=3D|=2F/;
const ENTITY = /&(?:#(?:x([0-9a-f]{1,2})|([0-9]{1,3}))|(amp|quot|apos|lt|gt));/gi;
const NAMED: Readonly<Record<string, string>> = { amp: "&", quot: '"', apos: "'", lt: "<", gt: ">" };

function entity(_: string, hex?: string, decimal?: string, name = ""): string {
  if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
  return decimal === undefined ? NAMED[name.toLowerCase()]! : String.fromCharCode(Number(decimal));
}

const KEY = /(?<![A-Za-z0-9_])A[KS]IA[A-Z2-7]{16}$/;
const IN_WORD = /^[A-Za-z0-9_]/;
const SCOPE = /^[/+ ]([0-9]{8})[/+ ](?:([a-z0-9-]{1,32})[/+ ])?([a-z0-9-]{1,64})[/+ ]aws4_request(?![a-z0-9_])/i;
/** `Credential=`, `"x-amz-credential": "`, `name="x-amz-credential"` and the line behind it, and what HAR writes. */
const CREDENTIAL =
  /(x-amz-)?credential["'\\]{0,8}\s{0,8}([=:>]|,|\s)\s{0,8}(?:["'\\]{0,8}value["'\\]{0,8}\s{0,4}:\s{0,4})?["'\\[]{0,8}$/i;
const HEADER_V2 = /(?<![A-Za-z0-9])AWS[ +]{1,4}$/;
const POLICY = /(?<![a-z0-9_-])policy["'\\]{0,8}\s{0,4}[=:>,%&\\]|name=["'\\]{1,8}policy["'\\]/i;
const QUERY_V2 = /awsaccesskeyid["'\\]{0,8}\s{0,4}[=:]\s{0,4}["'\\[]{0,8}$/i;

function keyAt(upTo: string, after: string, line: Line, index: number): AccountSeen | undefined {
  const accessKeyId = KEY.exec(upTo)?.[0];
  if (accessKeyId === undefined) return undefined;
  const before = upTo.slice(0, -accessKeyId.length);
  const scope = SCOPE.exec(after);
  const credential = CREDENTIAL.exec(before);
  let form: AccountForm = "access-key";
  if (credential?.[1] !== undefined) {
    const query = credential[2] === "=" && !line.hasPolicy;
    form = query || line.isPresigned ? "presigned" : "post-form";
  } else if (scope !== null || credential?.[2] === "=") form = /AWS4-ECDSA/i.test(before) ? "sigv4a" : "sigv4";
  else if (HEADER_V2.test(before) && after.startsWith(":")) form = "sigv2";
  else if (QUERY_V2.test(before)) form = "presigned-v2";
  const owner = accountOfAccessKey(accessKeyId);
  const host = hostBefore(line.text, index);
  return {
    form,
    account: owner.kind === "known" ? owner.accountId : undefined,
    accessKeyId,
    ...(scope?.[2] !== undefined && { region: scope[2].toLowerCase() }),
    ...(scope?.[3] !== undefined && { service: scope[3].toLowerCase() }),
    ...(host !== undefined && { host }),
  };
}

/** The host of the URL that goes on until `index`. */
function hostBefore(text: string, index: number): string | undefined {
  const before = text.slice(Math.max(0, index - URL_BEFORE), index);
  const start = before.lastIndexOf("://");
  if (start === -1) return undefined;
  const url = before.slice(start + 3);
  if (/[\s"'<>]/.test(url)) return undefined;
  return /^(?:[^/?#@]{0,256}@)?([A-Za-z0-9.-]{1,253})/.exec(url)?.[1]?.toLowerCase();
}

const PRINCIPAL = /(?<![A-Za-z0-9_])A(?:ROA|IDA|IPA)[A-Z0-9]{4,28}$/;
const SESSION = /^:i-[0-9a-f]{8}(?:[0-9a-f]{9})?(?![A-Za-z0-9])/;

function principalAt(upTo: string, after: string, { accountOfSession }: LineContext): AccountSeen | undefined {
  const id = PRINCIPAL.exec(upTo)?.[0];
  if (id === undefined) return undefined;
  const owner = accountOfPrincipalId(id);
  const account = owner.kind === "known" ? owner.accountId : undefined;
  if (SESSION.test(after)) return { form: "instance-session", account: account ?? accountOfSession?.() };
  return account === undefined ? undefined : { form: "principal", account };
}

const NUMBER = /(?<![0-9])[0-9]{12}$/;
const REGION = "([a-z]{2,8}(?:-[a-z]{1,12}){1,3}-[0-9]{1,2})";
const SUFFIX =
  "(?:amazonaws\\.com(?:\\.cn)?|amazonaws\\.eu|api\\.aws|on\\.aws|api\\.amazonwebservices\\.(?:com\\.cn|eu)|c2s\\.ic\\.gov|sc2s\\.sgov\\.gov)(?![a-z0-9-])";
/** What follows the account in names of hosts: by the endpoint rules of the SDKs and the services' documentation. */
const HOSTS: readonly (readonly [service: string, pattern: RegExp, labelled?: boolean])[] = [
  ["dynamodb", host(`ddb(?:-fips)?\\.${REGION}\\.${SUFFIX}`)],
  ["ecr", host(`dkr[.-]ecr(?:-fips)?\\.${REGION}\\.${SUFFIX}`)],
  ["s3-control", host(`s3-control(?:-fips)?(?:\\.dualstack)?\\.${REGION}\\.${SUFFIX}`)],
  ["s3", host(`s3-(?:accesspoint|object-lambda)(?:-fips)?(?:\\.dualstack)?\\.${REGION}\\.${SUFFIX}`), true],
  ["codeartifact", host(`d\\.codeartifact\\.${REGION}\\.${SUFFIX}`), true],
  [
    "signin",
    host(
      `signin\\.(?:${REGION}\\.)?(?:aws(?:\\.amazon\\.com)?|amazonaws(?:-us-gov\\.com|\\.com\\.cn|\\.eu))(?![a-z0-9-])`,
    ),
  ],
];
const LABEL = /(?<![A-Za-z0-9.-])((?:[a-z0-9-]{1,63}-)?)$/i;

function host(rest: string): RegExp {
  return new RegExp(`^\\.${rest}`, "i");
}

const ARN = /arn:aws[a-z-]{0,10}:([a-z0-9-]{1,64}):([a-z0-9-]{0,32}):$/i;
const FIELD = /account(?:[._ -]?(?:id|number|uid))?["'\\]{0,8}\s{0,4}[:=>]\s{0,4}["'\\[]{0,8}$/i;
/** ECS and OCSF: `"account": { "id": "..." }`. */
const NESTED = /account["'\\]{1,8}\s{0,4}:\s{0,4}\{[^{}]{0,128}["'\\](?:id|uid)["'\\]{1,8}\s{0,4}:\s{0,4}["'\\]{0,8}$/i;

function numberAt(upTo: string, after: string): AccountSeen | undefined {
  const account = NUMBER.exec(upTo)?.[0];
  if (account === undefined) return undefined;
  const before = upTo.slice(0, -12);
  if (after.startsWith(".")) {
    const label = LABEL.exec(before)?.[1];
    if (label === undefined) return undefined;
    for (const [service, pattern, labelled = false] of HOSTS) {
      const match = labelled === (label !== "") ? pattern.exec(after) : null;
      if (match === null) continue;
      const region = match[1]?.toLowerCase();
      const name = `${label}${account}${match[0]}`.toLowerCase();
      return { form: "host-name", account, service, host: name, ...(region !== undefined && { region }) };
    }
    return undefined;
  }
  if (after.startsWith(":aws:ec2-instance")) return { form: "instance-session", account };
  const arn = after.startsWith(":") ? ARN.exec(before) : null;
  if (arn !== null) {
    const region = arn[2]!.toLowerCase();
    return { form: "arn", account, service: arn[1]!.toLowerCase(), ...(region !== "" && { region }) };
  }
  return FIELD.test(before) || NESTED.test(before) ? { form: "account-id", account } : undefined;
}
