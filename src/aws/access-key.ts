/**
 * Reads the account id that AWS encodes in access key ids and in the unique ids of IAM principals, and writes how all key
 * ids of an account begin.
 */
import { invalidArgument } from "../base/errors.js";

/** Why an id does not tell its account. */
export type UnknownAccountReason =
  /** Made up by AWS for its documentation: it ends in `EXAMPLE` and is of no account. */
  | "documentation"
  /** Made before about 2019: such an id has no structure that is known, and decoding it gives a wrong account. */
  | "old-format"
  /** Looks like a new-format id, but its characters or its number stand for no account. */
  | "not-decodable"
  | "not-an-access-key"
  | "not-a-principal-id";

/** The account of an id, or why it cannot be told. Unknown is never a mismatch. */
export type AccountOfKey =
  | { readonly kind: "known"; /** 12 digits. */ readonly accountId: string }
  | { readonly kind: "unknown"; readonly reason: UnknownAccountReason };

const ACCESS_KEY = /^[A-Z0-9]{20}$/;
/** Roles, users and instance profiles: the principals whose ids are known to encode their account. */
const PRINCIPAL = /^A(?:ROA|IDA|IPA)[A-Z0-9]{17}$/;
const DOCUMENTATION = "EXAMPLE";
const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const HIGHEST_ACCOUNT = 999_999_999_999;

/**
 * The account of an access key id (`AKIA...`, `ASIA...`; 20 characters). AWS does not document the encoding as a
 * contract, so an id that does not fit is unknown.
 *
 * @example
 * ```ts
 * import { accountOfAccessKey } from "imds-guard";
 *
 * const account = accountOfAccessKey("ASIARTX3GSDSQAAAAAAA");
 * if (account.kind === "known") console.log(account.accountId); // 111122223333
 * ```
 */
export function accountOfAccessKey(id: string): AccountOfKey {
  if (!ACCESS_KEY.test(id)) return { kind: "unknown", reason: "not-an-access-key" };
  return id.endsWith(DOCUMENTATION) ? { kind: "unknown", reason: "documentation" } : decode(id);
}

/** The account of a unique id of a role (`AROA`), user (`AIDA`) or instance profile (`AIPA`); 21 characters. */
export function accountOfPrincipalId(id: string): AccountOfKey {
  return PRINCIPAL.test(id) ? decode(id) : { kind: "unknown", reason: "not-a-principal-id" };
}

/**
 * Behind four letters that tell the kind, an id has 16 of base32, which are 80 bits: one bit that is 1 in the new format,
 * 40 bits of account number, 39 bits without relation to the account.
 */
function decode(id: string): AccountOfKey {
  const first = letterAt(id, 4);
  // A to P: the top bit is 0. Checked before the alphabet, for old-format ids need not be base32.
  if (first >= 0 && first < 16) return { kind: "unknown", reason: "old-format" };
  for (let at = 4; at < 20; at++) if (letterAt(id, at) < 0) return { kind: "unknown", reason: "not-decodable" };
  // Bits 1 to 40 are the last 4 bits of the first letter, seven whole letters, and the first bit of the ninth. Plain
  // arithmetic, because 40 bits do not fit the 32 of the bitwise operators.
  let account = first - 16;
  for (let at = 5; at < 12; at++) account = account * 32 + letterAt(id, at);
  account = account * 2 + (letterAt(id, 12) >> 4);
  if (account > HIGHEST_ACCOUNT) return { kind: "unknown", reason: "not-decodable" };
  // Two small numbers are written faster than one beyond 32 bits.
  const millions = Math.floor(account / 1e6);
  return { kind: "known", accountId: sixDigits(millions) + sixDigits(account - millions * 1e6) };
}

function sixDigits(number: number): string {
  const text = String(number);
  return text.length === 6 ? text : text.padStart(6, "0");
}

/** What a letter of {@link BASE32} stands for, or -1: faster than to look for it there. */
function letterAt(id: string, at: number): number {
  const code = id.charCodeAt(at);
  if (code >= 0x41 && code <= 0x5a) return code - 0x41;
  return code >= 0x32 && code <= 0x37 ? code - 0x32 + 26 : -1;
}

/** Whether `text` is the number of an account: 12 digits. */
export function isAccountId(text: unknown): text is string {
  return typeof text === "string" && /^\d{12}$/.test(text);
}

/** @throws TypeError with code `ERR_INVALID_ARG_VALUE` for no account, and for the first that is none */
export function checkAccountIds(accounts: readonly string[]): void {
  if (accounts.length === 0) throw invalidArgument("accounts", "[]", "at least one account id");
  const wrong = accounts.find((account) => !isAccountId(account));
  if (wrong !== undefined) throw invalidArgument("accounts", wrong, "account ids of 12 digits");
}

/**
 * What follows `AKIA` or `ASIA` in every access key id of an account, and `AROA`, `AIDA` or `AIPA` in its principal ids:
 * eight letters and the set of the ninth, in a form that any engine of regular expressions reads. For 111122223333 that is
 * `RTX3GSDS[Q-Z2-7]`. Ids from before about 2019 do not begin so.
 *
 * @throws TypeError with code `ERR_INVALID_ARG_VALUE` for what is no account id
 */
export function startOfKeyIds(accountId: string): string {
  if (!isAccountId(accountId)) throw invalidArgument("accountId", accountId, "12 digits");
  // The bit of the new format, and 40 bits of account: eight letters of five bits, and the first bit of the ninth.
  const number = 2 ** 40 + Number(accountId);
  let letters = "";
  for (let rest = Math.floor(number / 2); letters.length < 8; rest = Math.floor(rest / 32))
    letters = BASE32.charAt(rest % 32) + letters;
  return `${letters}[${number % 2 === 0 ? "A-P" : "Q-Z2-7"}]`;
}

/**
 * Matches the whole access key ids (`AKIA...` and `ASIA...`, 20 characters) of an account, but for those from before about
 * 2019, which do not tell it.
 *
 * @throws TypeError with code `ERR_INVALID_ARG_VALUE` for what is no account id
 * @example
 * ```ts
 * import { accessKeyPattern } from "imds-guard";
 *
 * const ours = accessKeyPattern("111122223333"); // /^(?:AKIA|ASIA)RTX3GSDS[Q-Z2-7][A-Z2-7]{7}$/
 * console.log(ours.test("ASIARTX3GSDSQAAAAAAA")); // true
 * ```
 */
export function accessKeyPattern(accountId: string): RegExp {
  return new RegExp(`^(?:AKIA|ASIA)${startOfKeyIds(accountId)}[A-Z2-7]{7}$`);
}
