/** Types of identity-signer.mjs. */
import type { KeyObject } from "node:crypto";

/** Elements to put in place of the genuine-shaped ones; an empty buffer leaves one out. */
export interface MessageOverrides {
  /** Definite lengths throughout, as DER. Default: indefinite ones outside, as AWS. */
  readonly definite?: boolean;
  /** The content as one primitive octet string. Default: a constructed one. */
  readonly primitive?: boolean;
  readonly message?: Buffer;
  readonly messageType?: Buffer;
  readonly signedData?: Buffer;
  readonly version?: Buffer;
  readonly digestAlgorithms?: Buffer;
  readonly encapsulated?: Buffer;
  readonly contentType?: Buffer;
  readonly wrapper?: Buffer;
  /** The octet string element. */
  readonly content?: Buffer;
  readonly certificates?: Buffer;
  readonly signers?: Buffer;
  readonly signer?: Buffer;
  readonly signerVersion?: Buffer;
  readonly signerIdentifier?: Buffer;
  readonly signerDigest?: Buffer;
  /** The AlgorithmIdentifier used in every place that names the digest. */
  readonly digestAlgorithm?: Buffer;
  /** The attributes that are signed. */
  readonly attributes?: readonly Buffer[];
  /** The element that carries them. */
  readonly signedAttributes?: Buffer;
  readonly signatureAlgorithm?: Buffer;
  /** The signature's bytes. */
  readonly signature?: Buffer;
  /** The element that carries it. */
  readonly signatureOctets?: Buffer;
  readonly unsignedAttributes?: Buffer;
}

export interface Signer {
  readonly privateKey: KeyObject;
  readonly privateKeyPem: string;
  readonly publicKeyPem: string;
  readonly sign: (document: string | Buffer, overrides?: MessageOverrides) => string;
}

export const OID: Readonly<
  Record<
    | "data"
    | "signedData"
    | "contentType"
    | "messageDigest"
    | "signingTime"
    | "algorithmProtection"
    | "sha1"
    | "sha256"
    | "rsaEncryption"
    | "sha256WithRsa"
    | "organizationName",
    string
  >
>;
export function tlv(tag: number, ...parts: Buffer[]): Buffer;
export function indefinite(tag: number, ...parts: Buffer[]): Buffer;
export function oid(dotted: string): Buffer;
export function integer(value: number): Buffer;
export function sequence(...parts: Buffer[]): Buffer;
export function set(...parts: Buffer[]): Buffer;
export function octets(bytes: Buffer): Buffer;
export function nothing(): Buffer;
export function algorithm(dotted: string, parameters?: Buffer): Buffer;
export function attribute(dotted: string, ...values: Buffer[]): Buffer;
export function buildMessage(document: string | Buffer, privateKey: KeyObject, overrides?: MessageOverrides): Buffer;
export function toBody(message: Buffer): string;
export function documentText(fields?: Readonly<Record<string, unknown>>): string;
export function createSigner(options?: { privateKeyPem?: string; modulusLength?: number }): Signer;
