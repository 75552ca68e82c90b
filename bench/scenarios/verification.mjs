// @ts-check
/** The proof itself: reading and verifying one signed identity document. */
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { buildModules } from "../build-modules.mjs";
import { documentText } from "../../test/support/identity-signer.mjs";
import { oursAtMost } from "../figures.mjs";
import { SIGNED } from "../packages.mjs";
import { withPlace } from "../place.mjs";

const PROCESSES = 9;
const ROOM = fileURLToPath(new URL("../../src/attest/", import.meta.url));

/** @returns {Promise<import("../figures.mjs").Section>} */
export async function verification() {
  // The room is not part of the public face, so it is built apart.
  const outDir = mkdtempSync(fileURLToPath(new URL("../../node_modules/.bench-", import.meta.url)));
  try {
    await buildModules([`${ROOM}identity-document.ts`, `${ROOM}key-ring.ts`], outDir);
    const url = (/** @type {string} */ file) => pathToFileURL(join(outDir, file)).href;
    const { region, publicKeyPem } = SIGNED;
    const order = {
      identity: url("identity-document.mjs"),
      keys: url("key-ring.mjs"),
      region,
      publicKeyPem,
      body: SIGNED.sign(documentText({ region })),
      count: 500,
    };
    return await withPlace({ host: "laptop", network: "none" }, async (place) => {
      /** @type {number[]} */
      const first = [];
      /** @type {number[]} */
      const warm = [];
      for (let done = 0; done < PROCESSES; done += 1) {
        const answer = await place.run("verification.mjs", order);
        first.push(answer.first);
        warm.push(...answer.warm);
      }
      const goals = [oursAtMost(2)];
      return {
        title: "Verifying a signed identity document (with AWS's key of the region, then the user's)",
        rows: [
          { what: "first of a process", unit: "ms", ours: first, goals },
          { what: "after that", unit: "ms", ours: warm, goals },
        ],
      };
    });
  } finally {
    rmSync(outDir, { recursive: true, force: true });
  }
}
