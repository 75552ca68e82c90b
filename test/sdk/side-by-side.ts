/**
 * Runs the SDK's provider and ours over the same environment and files, and tells what became of each in comparable
 * form.
 */
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { CredentialsProviderError } from "@smithy/core/config";

/** What a program finds around it. Nothing else of AWS's or this package's settings is set. */
export interface Scene {
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** `~/.aws/config` */
  readonly config?: string | undefined;
  /** `~/.aws/credentials` */
  readonly credentials?: string | undefined;
  /** Further files, by path below the home directory. `{HOME}` in any text of the scene stands for that directory. */
  readonly files?: Readonly<Record<string, string>> | undefined;
}

/** What one call came to. */
export type Outcome =
  | { readonly credentials: Readonly<Record<string, unknown>> }
  | { readonly name: string; readonly message: string; readonly tryNextLink: unknown; readonly providerError: boolean };

const WRITTEN = new Date(Date.now() - 60_000);

/** A loopback port that nobody listens on: where the stock chain's IMDS link ends when a test forgets it. */
const DEAD_ENDPOINT = "http://127.0.0.1:1";

/**
 * Puts the scene up for the time of `act`, which learns the home directory. The stock chain can never reach IMDS in it:
 * its endpoint is a dead loopback port unless the scene names another loopback endpoint.
 */
export async function inScene<T>(scene: Scene, act: (home: string) => Promise<T>): Promise<T> {
  const home = mkdtempSync(join(tmpdir(), "imds-guard-home-"));
  const fill = (text: string): string => text.replaceAll("{HOME}", home);
  const files = {
    ...scene.files,
    ...(scene.config && { ".aws/config": scene.config }),
    ...(scene.credentials && { ".aws/credentials": scene.credentials }),
  };
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(home, path)), { recursive: true });
    writeFileSync(join(home, path), fill(content));
    // What was written this moment would be taken for a file that is still being written.
    utimesSync(join(home, path), WRITTEN, WRITTEN);
  }
  const before = { ...process.env };
  for (const name of Object.keys(process.env)) if (/^(AWS|IMDS_GUARD)_/.test(name)) delete process.env[name];
  Object.assign(process.env, {
    HOME: home,
    IMDS_GUARD_PROBE: "off",
    IMDS_GUARD_LOG: "off",
    AWS_EC2_METADATA_SERVICE_ENDPOINT: DEAD_ENDPOINT,
  });
  for (const [name, value] of Object.entries(scene.env ?? {})) process.env[name] = fill(value);
  try {
    return await act(home);
  } finally {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
    Object.assign(process.env, before);
    rmSync(home, { recursive: true, force: true });
  }
}

/** What became of a call: its credentials, or the fields of its error that the SDK's chains and applications read. */
export async function outcomeOf(call: () => Promise<object>): Promise<Outcome> {
  try {
    return { credentials: { ...(await call()) } };
  } catch (error) {
    const { name, message, tryNextLink } = error as CredentialsProviderError;
    return { name, message, tryNextLink, providerError: error instanceof CredentialsProviderError };
  }
}

/** The same scene twice: a new home directory, and so a new file cache, for each. */
export async function sideBySide(
  scene: Scene,
  stock: (home: string) => Promise<object>,
  ours: (home: string) => Promise<object>,
): Promise<{ stock: Outcome; ours: Outcome }> {
  const homes: string[] = [];
  const run = (call: (home: string) => Promise<object>): Promise<Outcome> =>
    inScene(scene, (home) => {
      homes.push(home);
      return outcomeOf(() => call(home));
    });
  const outcomes = { stock: await run(stock), ours: await run(ours) };
  // Messages may name files of the home directory.
  return JSON.parse(
    homes.reduce(
      (text, home) => text.replaceAll(home, "{HOME}"),
      JSON.stringify(outcomes, (_, value: unknown) => (value === undefined ? "(undefined)" : value)),
    ),
  ) as { stock: Outcome; ours: Outcome };
}
