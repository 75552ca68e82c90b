// @ts-check
/**
 * IAM Roles Anywhere: a first session of a process by this package, beside the stock SDK that runs aws_signing_helper by
 * `credential_process`. The helper is built from its Go module; without Go only ours is measured. What Node.js itself
 * needs for one session is measured beside both, because nothing that runs in it takes less.
 */
import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { issue } from "../../test/support/certificates.mjs";
import { startRolesAnywhereService } from "../../test/support/roles-anywhere-service.mjs";

const MODULE = "github.com/aws/rolesanywhere-credential-helper@v1.4.0";
const client = (/** @type {string} */ name) => fileURLToPath(new URL(`../clients/${name}.mjs`, import.meta.url));
const ACCOUNT = "111122223333";
const ANCHOR = `arn:aws:rolesanywhere:eu-central-1:${ACCOUNT}:trust-anchor/66666666-7777-8888-9999-000000000000`;
const PROFILE = `arn:aws:rolesanywhere:eu-central-1:${ACCOUNT}:profile/11111111-2222-3333-4444-555555555555`;
const ROLE = `arn:aws:iam::${ACCOUNT}:role/app`;
const DELAYS_MS = [2, 20];

/** @param {import("../figures.mjs").Extent} extent @returns {Promise<import("../figures.mjs").Section>} */
export async function rolesAnywhere({ short }) {
  const folder = mkdtempSync(join(tmpdir(), "imds-guard-bench-"));
  const root = issue({ name: "Root", ca: true });
  const leaf = issue({ name: "app", issuer: root, kind: "rsa" });
  const helper = build(folder);
  writeFileSync(join(folder, "tls.crt"), leaf.cert);
  writeFileSync(join(folder, "tls.key"), leaf.key, { mode: 0o600 });
  /** @type {import("../figures.mjs").Row[]} */
  const rows = [];
  try {
    for (const delayMs of DELAYS_MS) {
      const service = await startRolesAnywhereService({ anchors: [root.cert], delayMs });
      const env = {
        PATH: process.env["PATH"],
        AWS_CONFIG_FILE: join(folder, "config"),
        AWS_EC2_METADATA_DISABLED: "true",
      };
      writeFileSync(join(folder, "config"), configOf(folder, service.url, helper));
      /** @typedef {{ ms: number, loaded: number, later: readonly number[] }} Taken */
      /** @param {string} name @param {readonly string[]} words @returns {Promise<Taken>} */
      const run = (name, ...words) =>
        new Promise((resolve, reject) =>
          execFile(
            process.execPath,
            [client(name), ...words],
            { env: { ...env, IMDS_GUARD_PROBE: "off" } },
            (error, out) => (error ? reject(error) : resolve(JSON.parse(out))),
          ),
        );
      const taken = {
        ours: /** @type {Taken[]} */ ([]),
        line: /** @type {Taken[]} */ ([]),
        stock: /** @type {Taken[]} */ ([]),
        least: /** @type {Taken[]} */ ([]),
      };
      for (let turn = 0; turn < (short ? 3 : 11); turn += 1) {
        taken.ours.push(await run("roles-anywhere", "ours", "native"));
        taken.least.push(await run("least-session", folder, service.url, PROFILE, ROLE, ANCHOR));
        if (helper === undefined) continue;
        taken.line.push(await run("roles-anywhere", "ini", "line"));
        taken.stock.push(await run("roles-anywhere", "stock", "line"));
      }
      const whole = (/** @type {keyof typeof taken} */ which) => taken[which].map(({ ms }) => ms);
      const call = (/** @type {keyof typeof taken} */ which) => taken[which].map(({ ms, loaded }) => ms - loaded);
      const later = (/** @type {keyof typeof taken} */ which) => taken[which].flatMap((one) => one.later);
      const stock = taken.stock;
      const beside = stock.length === 0 ? {} : { stock: whole("stock") };
      /** @type {import("../figures.mjs").Goal[]} */
      const goals = stock.length > 0 && delayMs === 2 ? [{ of: "speedup", bound: "at least", value: 5 }] : [];
      rows.push(
        { what: `fromRolesAnywhere, service at ${delayMs} ms`, unit: "ms", ours: whole("ours"), ...beside, goals },
        {
          what: `of that, the first call, imports apart, service at ${delayMs} ms`,
          unit: "ms",
          ours: call("ours"),
          ...(stock.length > 0 && { stock: call("stock") }),
          goals,
        },
        {
          what: `a new provider of a process that has asked before, service at ${delayMs} ms`,
          unit: "ms",
          ours: later("ours"),
          ...(stock.length > 0 && { stock: later("stock") }),
          goals,
        },
        {
          what: `the least: node:crypto and node:http alone, service at ${delayMs} ms`,
          unit: "ms",
          ours: whole("least"),
          ...beside,
          note: "no package, no settings, no checks; its share of the stock SDK's time is the least that any could have",
        },
      );
      if (taken.line.length > 0)
        rows.push({
          what: `the helper's line read natively, service at ${delayMs} ms`,
          unit: "ms",
          ours: whole("line"),
          ...beside,
          goals,
        });
      await service.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return {
    title: "IAM Roles Anywhere: first credentials of a process, imports included (stock: SDK and helper)",
    rows,
  };
}

/** @param {string} folder */
function build(folder) {
  try {
    execFileSync("go", ["install", MODULE], {
      env: { ...process.env, GOBIN: folder },
      stdio: "pipe",
      timeout: 500_000,
    });
    renameSync(join(folder, "rolesanywhere-credential-helper"), join(folder, "aws_signing_helper"));
    return join(folder, "aws_signing_helper");
  } catch {
    return undefined;
  }
}

/** @param {string} folder @param {string} url @param {string | undefined} helper */
function configOf(folder, url, helper) {
  const key = (/** @type {string} */ name, /** @type {string} */ value) =>
    `imds_guard_roles_anywhere_${name} = ${value}`;
  return [
    "[profile native]",
    key("certificate", `${folder}/tls.crt`),
    key("private_key", `${folder}/tls.key`),
    key("trust_anchor_arn", ANCHOR),
    key("profile_arn", PROFILE),
    key("role_arn", ROLE),
    key("endpoint", url),
    "[profile line]",
    `credential_process = ${helper ?? "aws_signing_helper"} credential-process --certificate ${folder}/tls.crt --private-key ${folder}/tls.key --trust-anchor-arn ${ANCHOR} --profile-arn ${PROFILE} --role-arn ${ROLE} --endpoint ${url}`,
    "",
  ].join("\n");
}
