/**
 * The example with a key on a PKCS#11 token, against a service that verifies. Skipped where SoftHSM2 is not installed or
 * pkcs11js cannot be built.
 */
import { execFile, execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { issue } from "../support/certificates.mjs";
import type { Service } from "../support/roles-anywhere-service.mjs";
import { startRolesAnywhereService } from "../support/roles-anywhere-service.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const MODULE = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so"].find(existsSync);
const able = MODULE !== undefined && spawnSync("softhsm2-util", ["--version"]).status === 0;
if (!able) console.log("interop/pkcs11: skipped, SoftHSM2 is not installed");
const ANCHOR = "arn:aws:rolesanywhere:eu-central-1:111122223333";

describe.skipIf(!able)("a key on a token", () => {
  const root = issue({ name: "Root", ca: true });
  let folder: string;
  let service: Service;
  let built = false;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "imds-guard-pkcs11-"));
    service = await startRolesAnywhereService({ anchors: [root.cert] });
    writeFileSync(join(folder, "package.json"), '{"private":true,"dependencies":{"pkcs11js":"2.1.7"}}');
    try {
      execFileSync("npm", ["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"], { cwd: folder });
      const place = join(folder, "node_modules", "pkcs11js");
      execFileSync("npx", ["--yes", "node-gyp", "rebuild"], { cwd: place, stdio: "ignore", timeout: 240_000 });
      built = true;
    } catch (error) {
      console.log(`interop/pkcs11: skipped, pkcs11js cannot be built: ${(error as Error).message}`);
    }
    symlinkSync(ROOT, join(folder, "node_modules", "imds-guard"));
    copyFileSync(join(ROOT, "examples", "pkcs11.mjs"), join(folder, "pkcs11.mjs"));
    mkdirSync(join(folder, "tokens"));
    writeFileSync(
      join(folder, "softhsm2.conf"),
      `directories.tokendir = ${folder}/tokens\nobjectstore.backend = file\n`,
    );
  }, 300_000);
  afterAll(async () => {
    await service.close();
    rmSync(folder, { recursive: true });
  });

  test.each(["rsa", "p256", "p384"] as const)(
    "of kind %s signs for a session",
    async (kind) => {
      if (!built) return;
      const leaf = issue({ name: kind, issuer: root, kind });
      writeFileSync(join(folder, "tls.crt"), leaf.cert);
      writeFileSync(join(folder, "tls.key"), leaf.key);
      const env = { PATH: process.env["PATH"], SOFTHSM2_CONF: join(folder, "softhsm2.conf") };
      const tool = (...words: string[]) =>
        execFileSync("softhsm2-util", [...words, "--pin", "1234"], { cwd: folder, env, stdio: "pipe" });
      tool("--init-token", "--free", "--label", kind, "--so-pin", "1234");
      tool("--import", "tls.key", "--token", kind, "--label", kind, "--id", "01");
      rmSync(join(folder, "tls.key"));
      const { stdout } = await promisify(execFile)(process.execPath, ["pkcs11.mjs"], {
        cwd: folder,
        timeout: 60_000,
        env: {
          ...env,
          HOME: folder,
          PKCS11_MODULE: MODULE,
          PKCS11_PIN: "1234",
          PKCS11_LABEL: kind,
          AWS_EC2_METADATA_DISABLED: "true",
          IMDS_GUARD_PROBE: "off",
          IMDS_GUARD_ROLES_ANYWHERE_TRUST_ANCHOR_ARN: `${ANCHOR}:trust-anchor/a`,
          IMDS_GUARD_ROLES_ANYWHERE_PROFILE_ARN: `${ANCHOR}:profile/p`,
          IMDS_GUARD_ROLES_ANYWHERE_ROLE_ARN: "arn:aws:iam::111122223333:role/app",
          IMDS_GUARD_ROLES_ANYWHERE_ENDPOINT: service.url,
        },
      });
      expect(stdout).toMatch(/^ASIA[A-Z0-9]+ until /);
      expect(service.requests.at(-1)?.verdict).toMatchObject({ ok: true });
    },
    60_000,
  );
});
