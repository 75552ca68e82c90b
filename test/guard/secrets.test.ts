/** No event, error, log line or events file ever holds a secret key, a session token or an IMDS token: a property. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { GuardEvent } from "../../src/events/catalogue.js";
import type { Guard } from "../../src/guard/guard.js";
import { createGuard } from "../../src/guard/create-guard.js";
import { fromNodeProviderChain } from "../../src/sdk/node-chain.js";
import { ACCOUNT, INSTANCE, machine, NITRO, REGION, signer, STRANGER, XEN } from "./guarded-host.js";
import { accessKeyIdFor } from "../support/access-keys.mjs";
import { identityDocument, profileInfo } from "../support/imds-server.mjs";
import { fc } from "../support/properties.js";

interface Secrets {
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly token: string;
}

type Answer = (secrets: Secrets) => {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
};
type Path = "token" | "listing" | "info" | "identity" | "credentials";

/** Answers of a genuine service. */
const GENUINE: Readonly<Record<Path, Answer>> = {
  token: ({ token }) => ({ body: token, headers: { "x-aws-ec2-metadata-token-ttl-seconds": "21600" } }),
  listing: () => ({ body: "app-server" }),
  info: () => ({ body: profileInfo({ account: ACCOUNT }, "app-server") }),
  identity: () => ({ body: signer.sign(identityDocument({ account: ACCOUNT, instanceId: INSTANCE, region: REGION })) }),
  credentials: (secrets) => ({ body: JSON.stringify(credentials(secrets)) }),
};

function credentials({ secretAccessKey, sessionToken }: Secrets): Record<string, unknown> {
  return {
    Code: "Success",
    Type: "AWS-HMAC",
    AccessKeyId: accessKeyIdFor(ACCOUNT),
    SecretAccessKey: secretAccessKey,
    Token: sessionToken,
    LastUpdated: new Date().toISOString(),
    Expiration: new Date(Date.now() + 3_600_000).toISOString(),
  };
}

const withFields =
  (fields: Record<string, unknown>): Answer =>
  (secrets) => ({ body: JSON.stringify({ ...credentials(secrets), ...fields }) });
const secretText = ({ secretAccessKey, sessionToken, token }: Secrets): string =>
  `${secretAccessKey} ${sessionToken} ${token}`;

/** Answers that are wrong in some way, and mention secrets wherever a responder can put them. */
const WRONG: readonly Answer[] = [
  (secrets) => GENUINE.credentials(secrets),
  (secrets) => ({ body: JSON.stringify(credentials(secrets)).slice(0, -20) }),
  (secrets) => ({ body: `${JSON.stringify(credentials(secrets))}garbage ${secretText(secrets)}` }),
  (secrets) => ({ body: JSON.stringify([credentials(secrets)]) }),
  (secrets) => ({ body: `{"SecretAccessKey":"${secrets.secretAccessKey}","Token":"${secrets.sessionToken}"}` }),
  (secrets) => ({ body: secrets.token }),
  (secrets) => ({ body: secrets.sessionToken }),
  // With a character that no role name has: a responder may well name its role like a secret that it has yet to give.
  (secrets) => ({ body: `${secrets.secretAccessKey}/` }),
  (secrets) => ({ body: secretText(secrets) }),
  (secrets) => ({ body: Buffer.from(secretText(secrets)).toString("base64") }),
  (secrets) => ({ body: secretText(secrets).repeat(400) }),
  (secrets) => ({ status: 404, body: secretText(secrets) }),
  (secrets) => ({ status: 403, body: secretText(secrets) }),
  (secrets) => ({ status: 500, body: secretText(secrets) }),
  (secrets) => ({ status: 401, body: secretText(secrets) }),
  (secrets) => ({ status: 302, headers: { Location: `http://192.0.2.1/${secrets.token}` }, body: "" }),
  (secrets) => ({
    headers: { "x-aws-ec2-metadata-token-ttl-seconds": secrets.token, Server: secrets.token },
    body: secrets.token,
  }),
  withFields({ SecretAccessKey: 5 }),
  withFields({ Expiration: "soon" }),
  withFields({ Expiration: "2001-01-01T00:00:00Z" }),
  withFields({ AccessKeyId: accessKeyIdFor(STRANGER) }),
  withFields({ AccountId: STRANGER }),
  withFields({ Code: "Failed" }),
  (secrets) => withFields({ AccessKeyId: secrets.secretAccessKey })(secrets),
  (secrets) => withFields({ Expiration: secrets.sessionToken, Type: secrets.secretAccessKey })(secrets),
  (secrets) => withFields({ AccountId: secrets.token, Token: `${secrets.sessionToken} ` })(secrets),
  () => ({ body: signer.sign(identityDocument({ account: STRANGER, instanceId: INSTANCE, region: REGION })) }),
  (secrets) => ({
    body: signer.sign(
      identityDocument({ account: ACCOUNT, instanceId: secrets.secretAccessKey, region: secrets.token }),
    ),
  }),
  (secrets) => ({ body: profileInfo({ account: STRANGER }, secrets.token) }),
];

/** What the whole connection may end in instead. */
const BREAKS: readonly ((socket: Socket, secrets: Secrets) => void)[] = [
  (socket) => socket.resetAndDestroy(),
  (socket, secrets) => socket.end(`HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n${secretText(secrets)}`),
  (socket, secrets) => socket.end(`HTTP/1.1 200 OK\r\n${secrets.token}\r\n\r\n${secretText(secrets)}`),
  (socket, secrets) => socket.end(`HTTP/1.1 ${secrets.token}\r\n\r\n`),
  (socket, secrets) => socket.end(secretText(secrets)),
  (socket, secrets) => socket.end(`HTTP/1.1 200 OK\r\nX: ${secretText(secrets).repeat(200)}\r\n\r\n`),
  (socket, secrets) =>
    socket.end(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${secrets.secretAccessKey}\r\n`),
];

type Behaviour = { readonly [path in Path]?: { readonly kind: "answer" | "break"; readonly index: number } };

let server: Server;
let current: { behaviour: Behaviour; secrets: Secrets };

function pathOf({ url = "" }: IncomingMessage): Path {
  if (url.endsWith("/token")) return "token";
  if (url.endsWith("/security-credentials/")) return "listing";
  if (url.endsWith("/iam/info")) return "info";
  return url.endsWith("/rsa2048") ? "identity" : "credentials";
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  const { behaviour, secrets } = current;
  const path = pathOf(request);
  const chosen = behaviour[path];
  if (chosen?.kind === "break") {
    BREAKS[chosen.index % BREAKS.length]?.(request.socket, secrets);
    return;
  }
  const {
    status = 200,
    headers = {},
    body,
  } = (chosen ? (WRONG[chosen.index % WRONG.length] as Answer) : GENUINE[path])(secrets);
  response.writeHead(status, { Connection: "close", ...headers }).end(body);
}

const folder = mkdtempSync(join(tmpdir(), "imds-guard-secrets-"));
const before = { ...process.env };
beforeAll(async () => {
  for (const name of Object.keys(process.env)) if (/^AWS_/.test(name)) delete process.env[name];
  process.env["HOME"] = folder;
  server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterAll(() => {
  Object.assign(process.env, before);
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

const alphabet = (characters: string) => fc.constantFrom(...characters);
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const text = (characters: string, length: number): fc.Arbitrary<string> =>
  // Shrunk secrets would be alike, and found in each other.
  fc.noShrink(fc.string({ unit: alphabet(characters), minLength: length, maxLength: length }));
const secretsArbitrary: fc.Arbitrary<Secrets> = fc.record({
  secretAccessKey: text(`${LETTERS}/+`, 40),
  sessionToken: text(`${LETTERS}/+=`, 300),
  token: text(`${LETTERS}-_`, 56),
});
const fault = fc.option(
  fc.oneof(
    fc.record({ kind: fc.constant("answer" as const), index: fc.nat(1_000) }),
    fc.record({ kind: fc.constant("break" as const), index: fc.nat(1_000) }),
  ),
  { nil: undefined, freq: 2 },
);
const behaviourArbitrary = fc.record({
  token: fc.option(fault, { nil: undefined, freq: 4 }),
  listing: fault,
  info: fault,
  identity: fault,
  credentials: fault,
});

interface Said {
  readonly where: string;
  readonly text: string;
}

/**
 * Everything that is said of one guard over three calls: while all is well, while `behaviour` lasts, and afterwards.
 */
async function everythingSaid(
  behaviour: Behaviour,
  secrets: Secrets,
  files: Readonly<Record<string, string>>,
  attestation: "required" | "auto",
  first: boolean,
): Promise<Said[]> {
  const said: Said[] = [];
  const record = (where: string, value: unknown): void => {
    said.push({ where, text: typeof value === "string" ? value : JSON.stringify(value) });
  };
  const eventsFile = join(folder, "events.jsonl");
  rmSync(eventsFile, { force: true });
  const level =
    (name: string) =>
    (...content: unknown[]) =>
      record(`logger.${name}`, content);
  const { system } = machine(files, {
    AWS_EC2_METADATA_SERVICE_ENDPOINT: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  });
  const guard: Guard = createGuard(
    {
      attestation,
      eventsFile,
      timeout: 400,
      maxRetries: 1,
      log: "off",
      expectedAccounts: [ACCOUNT],
      certificates: { [REGION]: signer.publicKeyPem },
      onEvent: (event: GuardEvent) => record(`event ${event.code}`, event),
      logger: { debug: level("debug"), info: level("info"), warn: level("warn"), error: level("error") },
    },
    { system },
  );
  const chain = fromNodeProviderChain({
    guard,
    logger: { debug: level("chain"), info: level("chain"), warn: level("chain"), error: level("chain") },
  });
  const calls: (() => Promise<unknown>)[] = [
    () => guard.credentials({ forceRefresh: true }),
    () => chain({ forceRefresh: true }),
    () => guard.identity(),
    () => guard.metadata("/latest/meta-data/iam/info"),
  ];
  for (const phase of first ? [{}, behaviour, {}] : [behaviour, {}]) {
    current = { behaviour: phase, secrets };
    for (const call of calls) {
      await call().catch((error: unknown) => {
        for (let each: unknown = error, depth = 0; each instanceof Error && depth < 9; each = each.cause, depth += 1) {
          record(`message ${depth}`, `${each.name} ${each.message} ${each.stack ?? ""}`);
          record(`json ${depth}`, { ...each });
        }
        record("inspect", inspect(error, { depth: 12, showHidden: true, maxStringLength: null, maxArrayLength: null }));
      });
    }
  }
  record("attestation", guard.attestation() ?? "none");
  record("whereabouts", await guard.whereAmI());
  await guard.close();
  record("events file", readFileSync(eventsFile, "utf8"));
  return said;
}

/** A part of a secret long enough to matter, in the forms in which it may be printed. */
function partsOf({ secretAccessKey, sessionToken, token }: Secrets): string[] {
  const whole = [secretAccessKey, sessionToken, token].flatMap((secret) => [secret.slice(0, 20), secret.slice(-20)]);
  return [
    ...whole,
    ...whole.map((part) => JSON.stringify(part).slice(1, -1)),
    ...whole.map((part) => Buffer.from(part).toString("base64").slice(0, 24)),
    ...whole.map(encodeURIComponent),
    ...whole.map((part) => Buffer.from(part).toString("hex")),
  ];
}

test("nothing that is said holds a secret, whatever the responder does", async () => {
  let findings = 0;
  let tried = 0;
  const property = fc.asyncProperty(
    secretsArbitrary,
    behaviourArbitrary,
    fc.constantFrom(NITRO, XEN),
    fc.constantFrom("required" as const, "auto" as const),
    fc.boolean(),
    async (secrets, behaviour, files, attestation, first) => {
      tried += 1;
      const given = Object.fromEntries(
        Object.entries(behaviour).filter(([, chosen]) => chosen !== undefined),
      ) as Behaviour;
      const said = await everythingSaid(given, secrets, files, attestation, first);
      for (const part of partsOf(secrets)) {
        const leak = said.find(({ text: line }) => line.includes(part));
        expect(
          leak &&
            `${leak.where}: ${leak.text.slice(Math.max(0, leak.text.indexOf(part) - 200), leak.text.indexOf(part) + 100)}`,
        ).toBeUndefined();
      }
      if (said.some(({ where }) => where.startsWith("message"))) findings += 1;
    },
  );
  await fc.assert(property, { numRuns: Number(process.env["FUZZ_RUNS"] ?? 80) });
  expect(findings / tried).toBeGreaterThan(0.2);
}, 300_000);
