/** Containers' credentials: the SDK's own link, reached through the guarded chain, in the cases of two peers. */
import { execFile, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { Compiled } from "../support/compiled-source.mjs";
import { compileSource } from "../support/compiled-source.mjs";
import { readCases } from "./peer-cases.js";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

interface Given {
  readonly name: string;
  readonly env: Readonly<Record<string, string>>;
  readonly token_file?: unknown;
  /** The URL that the peer asks, or undefined where it asks none. */
  readonly uri: string | undefined;
}

interface Asked {
  readonly url: string;
  readonly authorization?: string;
}

interface Outcome {
  readonly asked: readonly Asked[];
  readonly got?: string;
  readonly error?: string;
}

interface EcsCase {
  readonly docs: string;
  readonly env: Readonly<Record<string, string>>;
  readonly result: { readonly Ok?: string };
}

interface UriCase {
  readonly description: string;
  readonly env: Readonly<Record<string, string>>;
  readonly token_file?: unknown;
  readonly expect: { readonly request?: { readonly uri?: string } };
}

const cases: readonly Given[] = [
  ...(readCases("container", "smithy-rs/ecs-tests.json") as readonly EcsCase[]).map(({ docs, env, result }) => ({
    name: docs,
    env,
    uri: result.Ok,
  })),
  ...(readCases("container", "container-uri-token-tests.json") as readonly UriCase[]).map(
    ({ description, env, token_file, expect: { request } }) => ({
      name: description,
      env,
      token_file,
      uri: request?.uri,
    }),
  ),
];

const namespaces = spawnSync("unshare", ["-Urnm", "ip", "addr", "add", "169.254.170.2/32", "dev", "lo"]).status === 0;
if (cases.length > 0 && !namespaces)
  console.log("conformance/container: skipped, this machine does not let a user make namespaces");

/** The container addresses on a loopback of its own, and every host name of the cases leading there. */
async function runAll(compiled: Compiled): Promise<{ ours: Outcome; stock: Outcome }[]> {
  const names = cases
    .flatMap(({ env }) => Object.values(env))
    .flatMap((value) => (URL.canParse(value) ? [new URL(value).hostname] : []));
  const hosts = join(compiled.directory, "hosts");
  writeFileSync(
    hosts,
    `127.0.0.1 localhost\n${names
      .filter((name) => /^[a-z][a-z0-9.-]*$/.test(name) && name !== "localhost")
      .map((name) => `127.0.0.1 ${name}\n`)
      .join("")}`,
  );
  const script = `set -e
    ip link set lo up
    ip addr add 169.254.170.2/32 dev lo; ip addr add 169.254.170.23/32 dev lo
    ip -6 addr add fd00:ec2::23/128 dev lo nodad
    mount --bind "$HOSTS" /etc/hosts
    cp "$PROGRAM" program.mjs; exec "$NODE" program.mjs "$CASES" "$OURS" "@aws-sdk/credential-providers" "$PWD/token"`;
  const { stdout } = await promisify(execFile)("unshare", ["-Urnm", "sh", "-c", script], {
    cwd: compiled.directory,
    env: {
      PATH: process.env["PATH"],
      NODE: process.execPath,
      HOME: compiled.directory,
      HOSTS: hosts,
      PROGRAM: fileURLToPath(new URL("./container-program.mjs", import.meta.url)),
      CASES: JSON.stringify(cases),
      OURS: compiled.url,
      // Without a container's setting both chains end at IMDS, which is not what this is about.
      AWS_EC2_METADATA_DISABLED: "true",
    },
    timeout: 110_000,
  });
  return JSON.parse(stdout) as { ours: Outcome; stock: Outcome }[];
}

describe.skipIf(cases.length === 0 || !namespaces)("containers' credentials", () => {
  let compiled: Compiled;
  let outcomes: { ours: Outcome; stock: Outcome }[];

  beforeAll(async () => {
    compiled = compileSource("sdk/node-chain");
    outcomes = await runAll(compiled);
  });
  afterAll(() => compiled.remove());

  test.each(cases.map((given, index) => [given.name, given, index] as const))("%s", (_, given, index) => {
    const { ours, stock } = outcomes[index] as { ours: Outcome; stock: Outcome };
    // The link is the SDK's: it asks what it asks and refuses what it refuses, no more and no less for the guard.
    expect(ours).toEqual(stock);
    if (given.uri === undefined || ours.asked.length === 0) return;
    const [asked] = ours.asked;
    const wanted = new URL(given.uri);
    expect(asked?.url.startsWith("https:") ? new URL(asked.url).origin : asked?.url).toBe(
      wanted.protocol === "https:" ? wanted.origin : wanted.href,
    );
  });

  test("are counted", () => {
    const askedAsPeer = cases.filter(
      ({ uri }, index) => (uri === undefined) === (outcomes[index]?.ours.asked.length === 0),
    );
    const others = cases.filter((given) => !askedAsPeer.includes(given));
    console.log(
      [
        `conformance/container: ${cases.length} cases, all as the SDK's own chain, ${askedAsPeer.length} as the peer`,
        ...others.map(
          ({ name, uri }) => `  ${name}: the SDK for JavaScript ${uri === undefined ? "asks" : "asks nothing"}`,
        ),
      ].join("\n"),
    );
    expect(askedAsPeer.length).toBeGreaterThan(0);
  });
});
