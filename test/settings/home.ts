/** A home directory of a test's own, with shared config files in it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "vitest";
import type { FileRead, System } from "../../src/base/system.js";
import { realSystem } from "../../src/base/system.js";

const made: string[] = [];

afterEach(() => {
  for (const directory of made.splice(0)) rmSync(directory, { recursive: true, force: true });
});

export interface Home {
  readonly directory: string;
  readonly config: string;
  readonly credentials: string;
  /** The real machine, but for its environment and for files named in `reads`. */
  readonly system: (env?: Readonly<Record<string, string>>, reads?: Readonly<Record<string, FileRead>>) => System;
}

export function makeHome(
  files: { readonly config?: string | Buffer; readonly credentials?: string | Buffer } = {},
): Home {
  const directory = mkdtempSync(join(tmpdir(), "imds-guard-home-"));
  made.push(directory);
  mkdirSync(join(directory, ".aws"));
  const config = join(directory, ".aws", "config");
  const credentials = join(directory, ".aws", "credentials");
  if (files.config !== undefined) writeFileSync(config, files.config);
  if (files.credentials !== undefined) writeFileSync(credentials, files.credentials);
  return {
    directory,
    config,
    credentials,
    system: (env = {}, reads = {}) => ({
      ...realSystem,
      env: { HOME: directory, ...env },
      readFile: (path, limit) => reads[path] ?? realSystem.readFile(path, limit),
    }),
  };
}
