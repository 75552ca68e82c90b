// Runs on a host of its own whose loopback owns the metadata addresses. Puts each case before one package's chain, with
// the recorded answers of AWS and of the metadata services, and prints what came of it, as JSON.
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { Readable } from "node:stream";

const { module, cases } = JSON.parse(process.argv[2]);
const { fromIni, fromNodeProviderChain } = await import(module);
const base = { ...process.env };
const RealDate = globalThis.Date;
const QUIET = { IMDS_GUARD_PROBE: "off", IMDS_GUARD_LOG: "off", AWS_EC2_METADATA_SERVICE_NUM_ATTEMPTS: "1" };

/** What is left of the recording of the case at hand, and what was asked that is not in it. */
let recorded = [];
let strange = [];

/**
 * Of a form body only what is wanted is compared, where it was recorded: the rest differs between SDKs, and some
 * accounts were made up.
 */
const isWanted = (recordedBody, body) => {
  const [before, now] = [new URLSearchParams(recordedBody ?? ""), new URLSearchParams(body ?? "")];
  const role = (form) => form.get("RoleArn")?.split("/").at(-1);
  return !before.has("Action") || (before.get("Action") === now.get("Action") && role(before) === role(now));
};

/** The query is compared without its order. */
const address = (uri) => {
  const { protocol, host, pathname, searchParams } = new URL(uri);
  searchParams.sort();
  return `${protocol}//${host}${pathname}?${searchParams}`;
};

function play(method, uri, body) {
  const at = recorded.findIndex(
    ({ request }) => request.method === method && address(request.uri) === address(uri) && isWanted(request.body, body),
  );
  if (at < 0) {
    strange.push(`${method} ${uri}`);
    return undefined;
  }
  // The same question, asked again, has the same answer.
  return recorded[at].response;
}

const requestHandler = {
  async handle({ method, protocol, hostname, path, query = {}, body }) {
    const response = play(method, `${protocol}//${hostname}${path}?${new URLSearchParams(query)}`, body);
    if (response === undefined) throw new Error("not in the recording");
    return {
      response: {
        statusCode: response.status,
        headers: response.headers ?? {},
        body: Readable.from([Buffer.from(response.body ?? "")]),
      },
    };
  },
  metadata: { handlerProtocol: "http/1.1" },
};

// The links that call AWS look for their client's settings in one or the other.
const CLIENTS = {
  clientConfig: { requestHandler, maxAttempts: 1 },
  parentClientConfig: { requestHandler, maxAttempts: 1 },
};

const services = createServer((request, response) => {
  const answer = play(request.method, `http://${request.headers.host}${request.url}`, undefined);
  // The lengths that were recorded are those of the bodies before they were shortened.
  const headers = Object.entries(answer?.headers ?? {}).filter(
    ([name]) => !/^(?:content-length|connection|transfer-encoding)$/i.test(name),
  );
  response.writeHead(answer?.status ?? 404, Object.fromEntries(headers));
  response.end(answer?.body ?? "");
});
for (const host of ["169.254.169.254", "169.254.170.2"])
  await new Promise((resolve) => createServer(services.listeners("request")[0]).listen(80, host, resolve));

/** Makes the files of a case below a folder of its own; absolute paths in texts and variables lead there. */
function place({ fs = {}, env = {} }) {
  const root = mkdtempSync(join(tmpdir(), "chain-"));
  const paths = Object.keys(fs).filter((path) => !path.startsWith("/home/"));
  const moved = (text) => paths.reduce((result, path) => result.replaceAll(path, join(root, path)), text);
  for (const [path, text] of Object.entries(fs)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), moved(text));
  }
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, base, QUIET);
  for (const [name, value] of Object.entries(env)) process.env[name] = moved(value);
  process.env.HOME = join(root, "/home");
}

/** The recordings are of years past. */
function setClock(epochSeconds) {
  if (epochSeconds === undefined) {
    globalThis.Date = RealDate;
    return;
  }
  const offset = epochSeconds * 1000 - RealDate.now();
  globalThis.Date = class extends RealDate {
    constructor(...given) {
      if (given.length === 0) super(RealDate.now() + offset);
      else super(...given);
    }
    static now() {
      return RealDate.now() + offset;
    }
  };
}

/** @returns what a chain made of the case */
async function chain(given) {
  const { accessKeyId, secretAccessKey, sessionToken, accountId, expiration } = await fromNodeProviderChain({
    ...CLIENTS,
    maxRetries: 0,
    ...(given.guard && { guard: given.guard }),
  })();
  return {
    access_key_id: accessKeyId,
    secret_access_key: secretAccessKey,
    ...(sessionToken && { session_token: sessionToken }),
    ...(accountId && { account_id: accountId }),
    ...(expiration && { expiry: Math.floor(expiration.getTime() / 1000) }),
  };
}

/** @returns where a profile's credentials start, and the roles that are taken from there */
async function profile({ selected, guard }) {
  const links = [];
  const source = ({ accessKeyId, secretAccessKey, accountId }) =>
    accessKeyId === "ASIAIOSFODNN7EXAMPLE"
      ? { NamedSource: "Ec2InstanceMetadata" }
      : {
          AccessKey: {
            access_key_id: accessKeyId,
            secret_access_key: secretAccessKey,
            ...(accountId && { account_id: accountId }),
          },
        };
  const roleAssumer = async (credentials, { RoleArn: arn, RoleSessionName: session, ExternalId: external }) => {
    if (links.length === 0) links.push(source(credentials));
    links.push({
      AssumeRole: {
        role_arn: arn,
        ...(external && { external_id: external }),
        ...(session && !session.startsWith("aws-sdk-js-") && { role_session_name: session }),
      },
    });
    return { accessKeyId: "ASSUMED", secretAccessKey: "assumed", sessionToken: "assumed" };
  };
  const credentials = await fromIni({
    profile: selected,
    roleAssumer,
    ...CLIENTS,
    maxRetries: 0,
    ...(guard && { guard }),
  })();
  if (links.length === 0) links.push(source(credentials));
  return links;
}

const results = [];
for (const given of cases) {
  recorded = given.exchanges ?? [];
  strange = [];
  place(given);
  setClock(given.clock);
  const outcome = await (given.selected === undefined ? chain : profile)(given).then(
    (ok) => ({ ok }),
    (error) => ({ error: error.name, code: error.code, message: String(error.message).slice(0, 200) }),
  );
  setClock(undefined);
  results.push({ ...outcome, strange });
}
process.stdout.write(JSON.stringify(results), () => process.exit(0));
