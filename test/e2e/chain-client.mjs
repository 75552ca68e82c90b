// @ts-check
/**
 * A program that asks for credentials and tells what it got, one message at a time. `RIG_MODULE` names the package
 * whose providers it uses: the stock one or ours. Run with `--once` it asks once and prints the answer instead.
 */
import { createServer } from "node:http";

/**
 * @typedef {"chain" | "instance" | "guard" | "sts"} Api which door: `fromNodeProviderChain`, `fromInstanceMetadata`,
 *   `createGuard` or an STS client that signs a request to a stand-in which reads the access key id
 *
 * @typedef {object} Order
 * @property {readonly Api[]} apis
 * @property {Record<string, unknown>} [guard] the `guard` key; undefined for the stock package
 * @property {Record<string, unknown>} [options] further options of the provider
 * @property {number} [refreshes] how often to ask the same provider
 * @property {number} [deadlineMs] after which a call counts as hanging
 *
 * @typedef {object} Outcome
 * @property {Api} api
 * @property {readonly string[]} keys access key ids that reached the application, in order
 * @property {boolean} hung
 * @property {string | undefined} code of the last error
 * @property {string | undefined} message of the last error
 * @property {boolean | undefined} advised whether the last error carried advice
 * @property {readonly string[]} events codes, in order
 * @property {any} responder of the last event that had one
 * @property {number} ms
 * @property {number} peakRss bytes
 */

const MAX_RSS = 1_500 * 1024 * 1024;
const module = process.env["RIG_MODULE"] ?? "imds-guard";

/** @param {Order} order @returns {Promise<Outcome[]>} */
async function carryOut(order) {
  const outcomes = [];
  for (const api of order.apis) outcomes.push(await ask(api, order));
  return outcomes;
}

/** @param {Api} api @param {Order} order @returns {Promise<Outcome>} */
async function ask(api, { guard, options = {}, refreshes = 1, deadlineMs = 20_000 }) {
  /** @type {Outcome} */
  const outcome = {
    api,
    keys: [],
    hung: false,
    code: undefined,
    message: undefined,
    advised: undefined,
    events: [],
    responder: undefined,
    ms: 0,
    peakRss: 0,
  };
  const onEvent = (/** @type {any} */ event) => {
    outcome.events = [...outcome.events, event.code];
    outcome.responder = event.responder ?? outcome.responder;
  };
  const watch = setInterval(() => {
    outcome.peakRss = Math.max(outcome.peakRss, process.memoryUsage.rss());
    if (outcome.peakRss > MAX_RSS) process.exit(99);
  }, 10);
  const began = performance.now();
  try {
    const provider = await providerOf(api, guard === undefined ? undefined : { ...guard, onEvent }, options);
    for (let count = 0; count < refreshes && !outcome.hung; count += 1) {
      const key = await within(provider(), deadlineMs);
      if (key === undefined) outcome.hung = true;
      else outcome.keys = [...outcome.keys, key];
    }
  } catch (error) {
    const { code, message, advice } = /** @type {any} */ (error);
    Object.assign(outcome, { code, message, advised: typeof advice === "string" && advice !== "" });
  }
  outcome.ms = performance.now() - began;
  clearInterval(watch);
  outcome.peakRss = Math.max(outcome.peakRss, process.memoryUsage.rss());
  const lingerMs = Number(options["lingerMs"] ?? 0);
  if (lingerMs > 0)
    await new Promise((resolve) => {
      setTimeout(resolve, lingerMs);
    });
  return outcome;
}

/** @template T @param {Promise<T>} promise @param {number} ms @returns {Promise<T | undefined>} */
async function within(promise, ms) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  try {
    return /** @type {T | undefined} */ (await Promise.race([promise, late]));
  } finally {
    clearTimeout(timer);
  }
}

/**
 * @param {Api} api @param {object | undefined} guard @param {Record<string, unknown>} options @returns {Promise<() =>
 * Promise<string>>}
 */
async function providerOf(api, guard, options) {
  const { lingerMs: _, ...init } = options;
  const { fromNodeProviderChain, fromInstanceMetadata, createGuard } = await import(module);
  const given = { ...init, ...(guard === undefined ? {} : { guard }) };
  switch (api) {
    case "chain":
      return keyOf(fromNodeProviderChain(given));
    case "instance":
      return keyOf(fromInstanceMetadata(given));
    case "guard": {
      const made = createGuard(guard);
      return keyOf((/** @type {any} */ ask) => made.credentials(ask));
    }
    default:
      return () => signedWith(fromNodeProviderChain(given));
  }
}

/** @param {(options?: object) => Promise<{ accessKeyId: string }>} provider */
function keyOf(provider) {
  return async () => String((await provider({ forceRefresh: true })).accessKeyId);
}

/**
 * The access key id that an STS client signs with, read by a stand-in from the `Authorization` header. @param {any}
 * credentials @returns {Promise<string>}
 */
async function signedWith(credentials) {
  const { STSClient, GetCallerIdentityCommand } = await import("@aws-sdk/client-sts");
  let key = "";
  const standIn = createServer((request, response) => {
    key = /Credential=([^/]+)\//.exec(request.headers.authorization ?? "")?.[1] ?? "unsigned";
    request.resume();
    response.setHeader("Content-Type", "text/xml");
    response.end(
      "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>111122223333</Account></GetCallerIdentityResult></GetCallerIdentityResponse>",
    );
  });
  await /** @type {Promise<void>} */ (
    new Promise((resolve) => {
      standIn.listen(0, "127.0.0.1", resolve);
    })
  );
  const { port } = /** @type {import("node:net").AddressInfo} */ (standIn.address());
  try {
    const client = new STSClient({
      region: "eu-central-1",
      endpoint: `http://127.0.0.1:${port}`,
      credentials,
      maxAttempts: 1,
    });
    await client.send(new GetCallerIdentityCommand({}));
    return key;
  } finally {
    standIn.closeAllConnections();
    standIn.close();
  }
}

if (process.argv[2] === "--once") {
  const [outcome] = await carryOut(JSON.parse(process.argv[3] ?? "{}"));
  process.stdout.write(JSON.stringify(outcome));
} else {
  process.on("message", (/** @type {Order} */ order) => {
    void carryOut(order).then((outcomes) => {
      process.send?.(outcomes);
    });
  });
}
