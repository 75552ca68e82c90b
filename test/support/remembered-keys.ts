/**
 * Only for mutation runs, which load every test file hundreds of times: the n-th key pair of a kind that a file makes
 * is the n-th one that the run made before. They are throw-away keys, kept in the folder of `MUTATION_KEYS`.
 */
import crypto, { createPrivateKey, createPublicKey } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";

const folder = process.env["MUTATION_KEYS"];
if (folder === undefined) throw new TypeError("MUTATION_KEYS has to name the folder of this run");
mkdirSync(folder, { recursive: true, mode: 0o700 });

const generate = crypto.generateKeyPairSync as (
  type: string,
  options: object,
) => { privateKey: KeyObject; publicKey: KeyObject };
const made = new Map<string, number>();

function remembered(type: string, options: object): { privateKey: KeyObject; publicKey: KeyObject } {
  const kind = `${type}-${Object.values(options).join("-")}`.replace(/[^\w-]/g, "");
  const count = made.get(kind) ?? 0;
  made.set(kind, count + 1);
  const path = join(folder as string, `${kind}-${count}.pem`);
  try {
    const privateKey = createPrivateKey(readFileSync(path));
    return { privateKey, publicKey: createPublicKey(privateKey) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  const pair = generate(type, options);
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, pair.privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  renameSync(draft, path);
  return pair;
}

crypto.generateKeyPairSync = remembered as typeof crypto.generateKeyPairSync;
syncBuiltinESMExports();
