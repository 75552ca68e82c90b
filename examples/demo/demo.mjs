// @ts-check
/**
 * Shows what the stock credential chain does with an impersonated metadata service, and what the guarded one does.
 * It makes hosts of its own out of Linux namespaces (no privilege needed) and never contacts the real 169.254.169.254;
 * where namespaces are not to be had it works on loopback addresses instead (`--loopback` asks for that).
 */
import { fileURLToPath } from "node:url";
import { accountOf } from "../../test/support/access-keys.mjs";
import { createSigner } from "../../test/support/identity-signer.mjs";
import { canUnshare, createMachine } from "../../test/support/machine.mjs";
import { showOnLoopback } from "./loopback.mjs";
import { fact, paragraph, sideBySide, title } from "./print.mjs";

const ASK = fileURLToPath(new URL("./ask.mjs", import.meta.url));
const ACCOUNT = "111122223333";
const REGION = "eu-central-1";

/** @typedef {import("../../test/support/machine.mjs").Machine} Machine */

/** @param {Machine} machine @param {"stock" | "guarded"} chain @param {object} [guard] @param {number} [lingerMs] */
async function ask(machine, chain, guard = {}, lingerMs = 0) {
  const order = { chain, lingerMs, init: chain === "guarded" ? { guard } : {} };
  const { json, sent, stderr } = await machine.run(ASK, { args: [JSON.stringify(order)] });
  if (json === undefined) throw new Error(`the ${chain} chain ended without an answer: ${stderr}`);
  return { ...json, sent };
}

/** @param {Parameters<typeof createMachine>[0]} options @param {(machine: Machine) => Promise<void>} work */
async function onMachine(options, work) {
  const machine = await createMachine({ ...options, lifetimeMs: 60_000 });
  try {
    await work(machine);
  } finally {
    await machine.close();
  }
}

/** @param {number} ms */
const time = (ms) => (ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`);
/** @param {any} answer @param {import("./print.mjs").Tone} tone @returns {import("./print.mjs").Cell} */
const taken = (answer, tone) => (answer.accessKeyId === undefined ? "none" : { text: answer.accessKeyId, tone });
/** @param {any} answer @returns {string} */
const why = ({ code, message }) =>
  message === undefined
    ? ""
    : `${code === undefined ? "" : `${code}: `}${String(message).replace("Could not load credentials from any providers. ", "")}`;

async function impersonated() {
  title("1. A laptop, and somebody on its network who answers as 169.254.169.254");
  paragraph("The impersonator speaks IMDSv2 without a fault and hands out keys of account 666666666666.");
  process.stdout.write("\n");
  await onMachine({ host: "laptop", network: "neighbour" }, async (machine) => {
    await machine.serve({ kind: "behaviour", name: "flawless" });
    const stock = await ask(machine, "stock");
    const guarded = await ask(machine, "guarded", { probe: "off" });
    const account = accountOf(stock.accessKeyId);
    sideBySide([
      ["credentials", taken(stock, "bad"), { text: "none", tone: "good" }],
      ["their account", { text: account === undefined ? "none" : `${account}: not yours`, tone: "bad" }, "-"],
      ["connections", String(stock.sent.connections), { text: String(guarded.sent.connections), tone: "good" }],
      ["UDP datagrams", String(stock.sent.datagrams), String(guarded.sent.datagrams)],
      ["time", time(stock.ms), time(guarded.ms)],
      ["what it says", why(stock) || "nothing", why(guarded)],
    ]);
    fact("advice", guarded.advice ?? "", "quiet");

    const probing = await ask(machine, "guarded", {}, 1_200);
    const found = probing.events.find((/** @type {any} */ event) => event.code === "imds.impersonation_detected");
    process.stdout.write("\n");
    paragraph(
      `With the background probe on, as it is by default, ${probing.sent.connections} connection asks whether anybody is there, without a secret, and:`,
    );
    if (found === undefined) return fact("event", "none: the probe found nobody", "bad");
    fact("event", `${found.code} (${found.severity})`, "bad");
    fact("", found.message);
    const { mac, interface: device, route, gateway, localAddress } = found.responder ?? {};
    fact(
      "who answers",
      [mac && `MAC ${mac}`, device && `on ${device}`, gateway && `through ${gateway}`].filter(Boolean).join(", ") ||
        "the system does not tell",
    );
    fact(
      "seen from",
      [localAddress, route && `route ${route}`].filter(Boolean).join(", ") || "the system does not tell",
    );
  });
}

async function genuine() {
  title("2. An EC2 Nitro instance with the genuine service");
  paragraph(
    "AWS signs what it says about the instance; here a throw-away key signs, which the guard is told to trust for one region.",
  );
  process.stdout.write("\n");
  await onMachine({ host: "ec2-nitro", network: "self" }, async (machine) => {
    const aws = createSigner();
    const serve = /** @type {const} */ ({
      kind: "genuine",
      privateKeyPem: aws.privateKeyPem,
      identity: { account: ACCOUNT, region: REGION },
    });
    await machine.serve(serve);
    const stock = await ask(machine, "stock");
    const stockSeen = await machine.seen();
    await machine.serve(serve);
    const guarded = await ask(machine, "guarded", { certificates: { [REGION]: aws.publicKeyPem } });
    const guardedSeen = await machine.seen();
    const attested = guarded.events.find((/** @type {any} */ event) => event.code === "imds.attested");
    sideBySide([
      ["credentials", taken(stock, "good"), taken(guarded, "good")],
      ["their account", accountOf(stock.accessKeyId) ?? "none", accountOf(guarded.accessKeyId) ?? "none"],
      [
        "proved",
        "nothing",
        attested === undefined
          ? { text: "nothing", tone: "bad" }
          : {
              text: `signature valid; instance ${attested.claimed.instanceId} and account ${attested.claimed.accountId} match`,
              tone: "good",
            },
      ],
      [
        "requests",
        `${stockSeen.total}, ${stockSeen.withoutToken} of IMDSv1`,
        `${guardedSeen.total}, ${guardedSeen.withoutToken} of IMDSv1`,
      ],
      ["time", time(stock.ms), time(guarded.ms)],
      ...(guarded.message === undefined ? [] : [/** @type {const} */ (["what it says", "", why(guarded)])]),
    ]);
  });
}

async function nobody() {
  title("3. A server in a data centre, where packets to 169.254.169.254 are dropped");
  await onMachine({ host: "dell-server", network: "silent" }, async (machine) => {
    const stock = await ask(machine, "stock");
    const guarded = await ask(machine, "guarded", { probe: "off" });
    sideBySide([
      ["credentials", taken(stock, "bad"), taken(guarded, "bad")],
      ["connections", String(stock.sent.connections), String(guarded.sent.connections)],
      ["time", { text: time(stock.ms), tone: "bad" }, { text: time(guarded.ms), tone: "good" }],
      ["what it says", why(stock), why(guarded)],
    ]);
  });
}

// Whoever reads it may have seen enough.
process.stdout.on("error", () => process.exit(3));
void show();

async function show() {
  paragraph("Which credentials does a Node.js program take, and from whom?", "strong");
  const able = process.argv.includes("--loopback")
    ? { ok: /** @type {const} */ (false), reason: "--loopback was given" }
    : canUnshare();
  if (able.ok) {
    paragraph(
      "Everything below happens on hosts made for it out of Linux namespaces, with the real addresses but without a network: nothing leaves this machine. Connections are read from the kernel's counters; times are of a fresh process and include loading the package.",
      "quiet",
    );
    await impersonated();
    await genuine();
    await nobody();
  } else {
    paragraph(
      `No hosts can be made here (${able.reason}), so this runs on loopback addresses: the metadata service is played on 127.0.0.1, and 169.254.169.254 is not contacted.`,
      "quiet",
    );
    await showOnLoopback();
  }
}
