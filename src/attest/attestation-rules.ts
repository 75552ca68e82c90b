/** The rules an identity document has to keep, each with a stable word, and what a breach of it says. */

/** Rule -> what its breach says. The words are stable and appear as `evidence[0].value`. */
const RULES = {
  "text-size": "the answer is empty or longer than 16 KiB",
  "text-base64": "the answer is not padded base64 text",
  "message-size": "the decoded message is longer than 8 KiB",
  "ber-truncated": "the message ends inside one of its elements",
  "ber-length": "an element has a length that is not the shortest form, or an indefinite one where none may be",
  "ber-tag": "an element has a tag that no signed message of AWS has",
  "ber-depth": "elements are nested deeper than 16 levels",
  "ber-trailing": "there is something after the end of the message",
  "content-info": "the message is not exactly one PKCS7 SignedData",
  "signed-data": "SignedData is not a sequence of version, digest algorithms, content and signers",
  "certificates-embedded": "SignedData carries certificates or revocation lists, which AWS never sends",
  "signed-data-version": "SignedData is not of version 1",
  "digest-algorithms": "the digest algorithms are not SHA-256 alone",
  "content-type": "the embedded content is not plain data",
  "content-missing": "no content is embedded",
  "content-octets": "the embedded content is not an octet string",
  "signer-count": "there is not exactly one signer",
  "signer-info": "SignerInfo is not a sequence of six",
  "signer-version": "SignerInfo is not of version 1",
  "signer-identifier": "the signer is not named by issuer and serial number",
  "signer-digest": "the digest algorithm of the signer is not SHA-256",
  "signed-attributes": "the signed attributes are missing, not in DER, or not a set of single-valued attributes",
  "attribute-twice": "a signed attribute occurs twice",
  "attribute-content-type": "the signed content type is missing or not plain data",
  "attribute-message-digest": "the signed message digest is missing or not 32 bytes",
  "attribute-signing-time": "the signed signing time is no UTC time",
  "signature-algorithm": "the signature algorithm is not RSA with SHA-256",
  "signature-octets": "the signature is not an octet string of an RSA signature's size",
  "digest-mismatch": "the embedded content is not the one that was signed",
  "signature-mismatch": "the signature does not verify with any key of the region",
  "document-size": "the document is empty or longer than 8 KiB",
  "document-utf8": "the document is not UTF-8",
  "document-json": "the document is not a JSON object",
  "document-key-twice": "a name occurs twice in the document",
  "document-account": "accountId is not 12 digits",
  "document-instance": "instanceId is not an EC2 instance id",
  "document-region": "region is not a region name",
  "document-pending-time": "pendingTime is not a UTC time",
} as const satisfies Record<string, string>;

/** The stable word for one rule of an attestation. */
export type AttestationRule = keyof typeof RULES;

/** What a breach of the rule says. */
export function breachOf(rule: AttestationRule): string {
  return RULES[rule];
}
