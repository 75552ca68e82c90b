/** Options of TLS, written out for the same reason as those of `connection-options.ts`. */
import type { Socket } from "node:net";
import { isIP } from "node:net";
import type { ConnectionOptions, PeerCertificate, SecureContext, SecureContextOptions } from "node:tls";
import * as tls from "node:tls";

/** As it is now: what a library puts in its place later sees nothing of ours. */
const { checkServerIdentity } = tls;

/**
 * TLS 1.2 or later with the server of this name or address, which is always verified: over a connected socket, or by a
 * connection of its own, whose port the caller names.
 */
export function tlsOptions(over: Socket | undefined, host: string, secureContext: SecureContext): ConnectionOptions {
  const name = host.replace(/^\[(.*)\]$/, "$1");
  const options = {
    socket: over,
    host: name,
    // An address is no server name (RFC 6066, section 3).
    servername: isIP(name) === 0 ? name : "",
    secureContext,
    // Not a matter of NODE_TLS_REJECT_UNAUTHORIZED.
    rejectUnauthorized: true,
    checkServerIdentity: (_: string, certificate: PeerCertificate) => checkServerIdentity(name, certificate),
    minDHSize: 1024,
    ALPNProtocols: undefined,
    ALPNCallback: undefined,
    allowHalfOpen: undefined,
    enableTrace: false,
    highWaterMark: undefined,
    isServer: false,
    lookup: undefined,
    onread: undefined,
    path: undefined,
    port: undefined,
    pskCallback: undefined,
    requestCert: true,
    requestOCSP: false,
    session: undefined,
    signal: undefined,
    timeout: undefined,
  };
  return options as unknown as ConnectionOptions;
}

/** Whom to trust, and what to show: `ca` default as Node.js has it, `cert` and `key` default none; all PEM. */
export function secureContextOptions(trust: {
  readonly ca?: string | readonly string[] | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}): SecureContextOptions {
  const { ca, cert, key } = trust;
  const options = {
    ca,
    cert,
    key,
    passphrase: undefined,
    minVersion: "TLSv1.2",
    allowPartialTrustChain: undefined,
    ciphers: undefined,
    clientCertEngine: undefined,
    crl: undefined,
    dhparam: undefined,
    ecdhCurve: undefined,
    honorCipherOrder: undefined,
    maxVersion: undefined,
    pfx: undefined,
    privateKeyEngine: undefined,
    privateKeyIdentifier: undefined,
    secureOptions: undefined,
    secureProtocol: undefined,
    sessionIdContext: undefined,
    sessionTimeout: undefined,
    sigalgs: undefined,
    ticketKeys: undefined,
  };
  return options as unknown as SecureContextOptions;
}
