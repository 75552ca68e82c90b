/** Certificate and key from wherever they are kept, read again at each renewal, and only as a pair. */
import { statSync } from "node:fs";
import { fact, RolesAnywhereError } from "../base/errors.js";
import { hasOwnKey } from "../base/own-properties.js";
import { printable } from "../base/text.js";
import type { Reporter } from "../events/reporter.js";
import type { System } from "../base/system.js";
import type { PemSource } from "./certificate.js";
import { certificateError, readCertificateChain } from "./certificate.js";
import type { Identity, Signer } from "./create-session.js";
import { unreachable } from "./failures.js";
import { MAX_PEM } from "./pem.js";
import { keyError, readPrivateKey } from "./private-key.js";

/** Where a text comes from; `setting` is how the user calls it. */
export type Source = { readonly setting: string } & (
  | { readonly file: string }
  | { readonly text: string }
  | { readonly fetch: () => string | Uint8Array | Promise<string | Uint8Array> }
);

/** Everything an identity is read from. */
export interface IdentitySources {
  readonly certificate: Source;
  readonly certificateChain?: Source | undefined;
  readonly privateKey: Source | { readonly sign: Signer };
  readonly passphrase?: Source | undefined;
}

/** Reads the identity. */
export interface IdentityLoader {
  /**
   * The pair as it is now. Where a renewal of the files has begun and not ended, it is waited out once; then the pair
   * that was read before serves while it is valid.
   * @throws RolesAnywhereError `ERR_ROLES_ANYWHERE_CERTIFICATE`, `ERR_ROLES_ANYWHERE_KEY`,
   * `ERR_ROLES_ANYWHERE_UNREACHABLE` for a function that gives nothing in time
   */
  load(now: number): Promise<Identity>;
}

/** What a loader works with. */
export interface LoaderOptions {
  readonly system: System;
  readonly reporter: Pick<Reporter, "report">;
  /** Milliseconds for each function. */
  readonly timeoutMs: number;
}

/** A tool that renews writes one file after the other. */
export const RENEWAL_WAIT_MS = 200;
const MAX_PASSPHRASE = 4_096;
const DAY = 86_400_000;
/** An end is told of when a third of the life is left, and no earlier than 15 days ahead. */
const ENDING_MS = 15 * DAY;

/** Makes a loader. It reads nothing yet. */
export function createIdentityLoader(sources: IdentitySources, options: LoaderOptions): IdentityLoader {
  const { system, reporter } = options;
  let held: Identity | undefined;
  let exposed = false;
  const reported = new Set<string>();
  const once = (key: string, report: () => void): void => {
    if (reported.has(key)) return;
    if (reported.size > 64) reported.clear();
    reported.add(key);
    report();
  };

  async function read(now: number): Promise<Identity> {
    const { certificate, certificateChain, privateKey, passphrase } = sources;
    const text = await certificateFrom(certificate, options);
    const more = certificateChain && (await certificateFrom(certificateChain, options));
    const chain = readCertificateChain(text, more, now);
    if (hasOwnKey(privateKey, "sign")) return { chain, key: privateKey.sign };
    const keyText = await keyTextFrom(privateKey, options);
    const secret = passphrase && (await passphraseFrom(passphrase, options));
    const key = readPrivateKey(keyText, nameOf(privateKey), secret);
    if (!chain.leaf.checkPrivateKey(key)) throw wrongPair(nameOf(privateKey), nameOf(certificate));
    warnOfMode(privateKey);
    return { chain, key };
  }

  function warnOfMode(key: Source): void {
    if (exposed || !hasOwnKey(key, "file") || system.platform === "win32") return;
    const mode = statSync(key.file, { throwIfNoEntry: false })?.mode ?? 0;
    if ((mode & 0o077) === 0) return;
    exposed = true;
    const octal = `0${(mode & 0o777).toString(8)}`;
    reporter.report("roles_anywhere.key_exposed", {
      message: `The private key ${printable(key.file, 200)} can be used by others on this host (mode ${octal})`,
      evidence: [fact(key.file, "is open to group or others", octal)],
      advice: "Give it mode 0600, and to the user that runs the program.",
    });
  }

  function warnOfEnd({ chain }: Identity, now: number): void {
    const { notBefore, notAfter, leaf } = chain;
    const left = notAfter.getTime() - now;
    if (left >= Math.min(ENDING_MS, (notAfter.getTime() - notBefore.getTime()) / 3)) return;
    once(`ending ${leaf.fingerprint256}`, () =>
      reporter.report("roles_anywhere.certificate_ending", {
        message: `The certificate (${nameOf(sources.certificate)}) ends at ${notAfter.toISOString()}`,
        evidence: [fact(nameOf(sources.certificate), "is its end", notAfter.toISOString())],
        advice: "Have it renewed; the files are read again with each renewal of credentials.",
      }),
    );
  }

  return {
    async load(now) {
      let fresh: Identity;
      try {
        fresh = await read(now).catch(async (error: unknown) => {
          if (!isOfFiles(sources)) throw error;
          await new Promise((resolve) => setTimeout(resolve, RENEWAL_WAIT_MS));
          return read(now);
        });
      } catch (error) {
        const old = held;
        if (old === undefined || old.chain.notAfter.getTime() <= now) throw error;
        const why = error as Error & { readonly advice?: string };
        once(`unusable ${why.message}`, () =>
          reporter.report("roles_anywhere.certificate_unusable", {
            message: `${why.message}. The pair read before is used, which ends at ${old.chain.notAfter.toISOString()}`,
            advice: why.advice ?? "Restore the files.",
          }),
        );
        return old;
      }
      const { leaf } = fresh.chain;
      if (held !== undefined && held.chain.leaf.fingerprint256 !== leaf.fingerprint256)
        reporter.report("roles_anywhere.certificate_renewed", {
          message: `The certificate (${nameOf(sources.certificate)}) was renewed and ends at ${leaf.validTo}`,
          advice: "",
        });
      held = fresh;
      warnOfEnd(fresh, now);
      return fresh;
    },
  };
}

function isOfFiles({ certificate, certificateChain, privateKey }: IdentitySources): boolean {
  return [certificate, certificateChain, privateKey].some(
    (source) => source !== undefined && hasOwnKey(source, "file"),
  );
}

function nameOf(source: Source): string {
  return hasOwnKey(source, "file") && isPath(source.file) ? source.file : source.setting;
}

/** Whether it looks like a path. What does not may be the key itself, put where its path belongs, and is never shown. */
function isPath(file: string): boolean {
  // eslint-disable-next-line no-control-regex
  return !/-----BEGIN|[\x00-\x1f]|^(?!\/)[\w+/-]{40,}={0,2}$/.test(file);
}

function wrongPair(keyName: string, certificateName: string): RolesAnywhereError {
  return keyError(
    keyName,
    `it is not the key of the certificate (${certificateName})`,
    "Give the key that the certificate was issued for. If both were just renewed, one of them is still the old one.",
  );
}

async function certificateFrom(source: Source, options: LoaderOptions): Promise<PemSource> {
  const name = nameOf(source);
  const text = await textOf(source, MAX_PEM, options, (says) =>
    certificateError(name, says, `Correct ${source.setting}.`),
  );
  return { text, source: name };
}

function keyTextFrom(source: Source, options: LoaderOptions): Promise<string> {
  return textOf(source, MAX_PEM, options, (says) => keyError(nameOf(source), says, `Correct ${source.setting}.`));
}

async function passphraseFrom(source: Source, options: LoaderOptions): Promise<string> {
  // By the setting alone: where there is no such file, what should be its path may be the passphrase.
  const text = await textOf(source, MAX_PASSPHRASE, options, (says) =>
    keyError(source.setting, `its passphrase: ${says}`, `Correct ${source.setting}.`),
  );
  // As editors leave a file.
  return hasOwnKey(source, "file") ? text.replace(/^\ufeff/, "").replace(/\r?\n$/, "") : text;
}

async function textOf(
  source: Source,
  limit: number,
  { system, timeoutMs }: LoaderOptions,
  complain: (says: string) => Error,
): Promise<string> {
  if (hasOwnKey(source, "text")) return source.text;
  if (hasOwnKey(source, "fetch")) return fetched(source.fetch, source.setting, limit, timeoutMs, complain);
  if (!isPath(source.file)) throw complain("it holds text where the path of a file belongs");
  const read = system.readFile(source.file, limit);
  if (read.kind === "content") return read.bytes.toString("utf8");
  if (read.kind === "absent") throw complain("there is no such file");
  throw complain(read.kind === "too-large" ? `it is larger than ${limit} bytes` : `it cannot be read (${read.code})`);
}

async function fetched(
  fetch: () => string | Uint8Array | Promise<string | Uint8Array>,
  setting: string,
  limit: number,
  timeoutMs: number,
  complain: (says: string) => Error,
): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(unreachable(setting, `the function gave nothing within ${timeoutMs} ms`)),
      timeoutMs,
    );
  });
  try {
    // In a promise of its own, so that what a function throws at once is caught as well.
    const value: unknown = await Promise.race([Promise.resolve().then(fetch), late]);
    const text = value instanceof Uint8Array ? Buffer.from(value).toString("utf8") : value;
    if (typeof text !== "string") throw complain("the function gave no text");
    if (text.length > limit) throw complain(`the function gave more than ${limit} characters`);
    return text;
  } catch (error) {
    if (error instanceof RolesAnywhereError) throw error;
    throw Object.assign(complain("the function that gives it failed"), { cause: error });
  } finally {
    clearTimeout(timer);
  }
}
