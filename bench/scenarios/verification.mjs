// @ts-check
/** The proof itself: reading and verifying one signed identity document. */
import { builtApart } from "../build-modules.mjs";
import { documentText } from "../../test/support/identity-signer.mjs";
import { oursAtMost } from "../figures.mjs";
import { SIGNED } from "../packages.mjs";
import { withPlace } from "../place.mjs";

const PROCESSES = 9;

/** @returns {Promise<import("../figures.mjs").Section>} */
export async function verification() {
  // The room is not part of the public face, so it is built apart.
  const { urls, remove } = await builtApart(["attest/identity-document", "attest/key-ring", "attest/trusted-keys"]);
  try {
    const { region, publicKeyPem } = SIGNED;
    const order = {
      identity: urls["identity-document"],
      keys: urls["key-ring"],
      trusted: urls["trusted-keys"],
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
    remove();
  }
}
