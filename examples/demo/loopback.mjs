// @ts-check
/** The demo without namespaces: the same chains and the same impersonator, on loopback addresses. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { behaviourOf } from "../../test/support/behaviours.mjs";
import { createSigner } from "../../test/support/identity-signer.mjs";
import { accountOf, startImdsServer } from "../../test/support/imds-server.mjs";
import { startImpersonator } from "../../test/support/impersonator.mjs";
import { fact, paragraph, sideBySide, title } from "./print.mjs";

const ASK = fileURLToPath(new URL("./ask.mjs", import.meta.url));
const run = promisify(execFile);
const REGION = "eu-central-1";

/** What a child may see of the environment: enough to start, nothing of AWS. */
const KEPT = ["PATH", "SystemRoot", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR"];

/** @param {object} order @param {string} home @param {Record<string, string>} env @returns {Promise<any>} */
async function ask(order, home, env) {
  const base = Object.fromEntries(
    KEPT.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
  const { stdout } = await run(process.execPath, [ASK, JSON.stringify(order)], {
    env: { ...base, HOME: home, USERPROFILE: home, ...env },
    timeout: 20_000,
  });
  return JSON.parse(stdout);
}

/** Runs the comparison and prints it. */
export async function showOnLoopback() {
  const home = mkdtempSync(join(tmpdir(), "imds-guard-demo-"));
  const impersonator = await startImpersonator();
  const aws = createSigner();
  const genuine = await startImdsServer({ account: "111122223333", region: REGION, signDocument: aws.sign });
  try {
    impersonator.play(behaviourOf("flawless"));
    const port = impersonator.endpoints[0]?.port ?? 0;
    const endpoint = `http://127.0.0.1:${port}`;
    const stock = await ask({ chain: "stock" }, home, { AWS_EC2_METADATA_SERVICE_ENDPOINT: endpoint });
    const stockConnections = impersonator.seen().connections;
    impersonator.play(behaviourOf("flawless"));
    // Loopback is explicit configuration and so may be asked; what stands in the way here is the proof.
    const guarded = await ask(
      { chain: "guarded", init: { guard: { endpoint, attestation: "required", probe: "off" } } },
      home,
      {},
    );
    title("1. Somebody who answers as the metadata service");
    sideBySide([
      [
        "credentials",
        { text: stock.accessKeyId ?? "none", tone: "bad" },
        { text: guarded.accessKeyId ?? "none", tone: "good" },
      ],
      ["their account", `${accountOf(stock.accessKeyId) ?? "none"}: not yours`, accountOf(guarded.accessKeyId) ?? "-"],
      ["connections", String(stockConnections), String(impersonator.seen().connections)],
      ["what it says", stock.message ?? "nothing", `${guarded.code}: ${guarded.message}`],
    ]);
    fact("advice", guarded.advice ?? "", "quiet");

    const honest = await ask(
      {
        chain: "guarded",
        init: {
          guard: {
            endpoint: genuine.url,
            attestation: "required",
            probe: "off",
            certificates: { [REGION]: aws.publicKeyPem },
          },
        },
      },
      home,
      {},
    );
    title("2. The genuine service, its document signed with a key the guard was given");
    fact(
      "credentials",
      honest.accessKeyId ?? `none: ${honest.code} ${honest.message}`,
      honest.accessKeyId === undefined ? "bad" : "good",
    );
    fact("their account", accountOf(honest.accessKeyId) ?? "none");
    fact("requests", `${genuine.counters.total}, ${genuine.counters.withoutToken} of IMDSv1`);

    const here = await ask({ chain: "guarded", whereAmI: true }, home, {});
    title("3. This host");
    paragraph("Told from local evidence alone; nothing was sent.");
    fact("verdict", here.verdict);
    fact("because", here.reason);
    fact("IMDS", here.decision === "contact" ? "may be asked" : "is not asked");
  } finally {
    await impersonator.close();
    await genuine.close();
    rmSync(home, { recursive: true, force: true });
  }
}
