/** Credentials that a certificate gives: what profiles and environment name, and whether it can work. */
import { delimiter, isAbsolute, join } from "node:path";
import { isImdsGuardError } from "../../base/errors.js";
import { printable } from "../../base/text.js";
import type { EventDetails } from "../../events/catalogue.js";
import type { Profile } from "../../settings/config-files.js";
import { profileIn } from "../../settings/environment.js";
import { HELPER_WORD, kindsInEnvironment } from "../../settings/certificate-names.js";
import type { Check, Machine } from "./check.js";
import { exists } from "./check.js";

type Line = Omit<Check, "section" | "id">;
type Profiles = Readonly<Record<string, Profile | undefined>>;

/** Longest that a function or a file may keep this waiting, in milliseconds. */
const TIMEOUT_MS = 2_000;

/** Judges what each profile and the environment name. Nothing is sent. */
export async function judgeCertificates(profiles: Profiles, { system }: Machine): Promise<Check[]> {
  const { helperLineOf } = await import("../../guard/certificate-links.js");
  const lines: Line[] = [];
  const programs = new Set<string>();
  for (const [name, profile = {}] of Object.entries(profiles)) {
    const subject = `profile ${printable(name).slice(1, -1)}`;
    try {
      const helper = helperLineOf(profile, system);
      if (helper !== undefined)
        programs.add(helper.line.kind === "native" ? helper.line.program : "aws_signing_helper");
      if (helper?.obstacle !== undefined)
        lines.push({
          subject,
          status: "ok",
          says: `its line of aws_signing_helper is run and not read natively: ${helper.obstacle}`,
          ...(!helper.obstacle.startsWith(HELPER_WORD.key) && {
            advice: ["name the same with imds_guard_roles_anywhere_* keys, where the key is a file in PEM form"],
          }),
        });
      else lines.push(...(await identityOf(subject, { system, profile, environment: "endpoint" })));
      if (helper !== undefined) lines.push(...defaultsModeOf(subject, profile, system.env));
    } catch (error) {
      lines.push(failed(subject, error));
    }
  }
  if (kindsInEnvironment(system.env).length > 0) {
    const name = profileIn(system.env);
    const profile = Object.hasOwn(profiles, name) ? profiles[name] : undefined;
    const subject = "environment";
    lines.push(
      ...(await identityOf(subject, { system, profile: profile ?? {}, environment: "all" }).catch((error: unknown) => [
        failed(subject, error),
      ])),
    );
  }
  for (const program of programs) lines.push(...(await versionOf(program, system)));
  return lines.map((line) => ({ section: "settings", id: "certificate", ...line }));
}

function failed(subject: string, error: unknown): Line {
  if (!isImdsGuardError(error)) throw error;
  return { subject, status: "finding", says: error.message, advice: [error.advice], evidence: error.evidence };
}

interface Named {
  readonly system: Machine["system"];
  readonly profile: Profile;
  readonly environment: "all" | "endpoint";
}

/** What the certificate, its key and their files come to. Throws what keeps them from working. */
async function identityOf(subject: string, named: Named): Promise<Line[]> {
  const [{ chooseCertificate }, { roleAliasPlan, rolesAnywherePlan }, { createIdentityLoader }] = await Promise.all([
    import("../../guard/certificate-links.js"),
    import("../../guard/certificate-plan.js"),
    import("../../roles-anywhere/identity.js"),
  ]);
  const choice = chooseCertificate(named);
  if (choice === undefined) return [];
  const { kind, certificateSettings, helperLine, exposed } = choice;
  const plan = kind === "iot" ? roleAliasPlan : rolesAnywherePlan;
  const seen: Line[] = [];
  const reporter = {
    report(_: string, details: EventDetails | (() => EventDetails) = {}): void {
      const { message = "", advice = "", evidence } = typeof details === "function" ? details() : details;
      seen.push({
        subject,
        status: "finding",
        says: message,
        ...(advice !== "" && { advice: [advice] }),
        ...(evidence && { evidence }),
      });
    },
  };
  const { system } = named;
  const loader = createIdentityLoader(plan(certificateSettings, named).sources, {
    system,
    reporter,
    timeoutMs: TIMEOUT_MS,
  });
  const { chain } = await loader.load(system.now());
  const what = kind === "iot" ? "a role alias of AWS IoT" : "IAM Roles Anywhere";
  const how = helperLine === true ? ", its line is read natively" : "";
  const more = chain.intermediates.length === 0 ? "" : `, with ${chain.intermediates.length} intermediates`;
  return [
    {
      subject,
      status: "ok",
      says: `${what}${how}: certificate and key are a pair, and end at ${chain.notAfter.toISOString()}${more}`,
      evidence: [{ source: subject, value: chain.algorithm, says: "is the algorithm of its signatures" }],
    },
    ...seen,
    ...(exposed === true
      ? [
          {
            subject,
            status: "finding" as const,
            says: "its line of aws_signing_helper holds the passphrase of the key",
            advice: ["put it into a file of mode 0600 that imds_guard_roles_anywhere_passphrase_file names"],
          },
        ]
      : []),
  ];
}

/** The helper loads the SDK's configuration, and in that mode asks the metadata service by itself. */
function defaultsModeOf(subject: string, profile: Profile, env: Machine["system"]["env"]): Line[] {
  const [mode, setting] =
    env["AWS_DEFAULTS_MODE"] === undefined
      ? [profile["defaults_mode"], "defaults_mode"]
      : [env["AWS_DEFAULTS_MODE"], "AWS_DEFAULTS_MODE"];
  if (mode?.trim().toLowerCase() !== "auto" || env["AWS_EC2_METADATA_DISABLED"] === "true") return [];
  return [
    {
      subject,
      status: "finding",
      says: `${setting} is auto: aws_signing_helper itself asks 169.254.169.254 wherever it is run, by IMDSv1 in the end`,
      advice: ["$ export AWS_DEFAULTS_MODE=standard", "or set AWS_EC2_METADATA_DISABLED=true where it is run"],
    },
  ];
}

/** The last release whose `serve` hands out empty keys after one failed renewal. */
const LAST_WITH_EMPTY_KEYS = [1, 8, 0] as const;

async function versionOf(program: string, system: Machine["system"]): Promise<Line[]> {
  const found = isAbsolute(program)
    ? program
    : (system.env["PATH"] ?? "")
        .split(delimiter)
        .filter((folder) => isAbsolute(folder))
        .slice(0, 256)
        .map((folder) => join(folder, program))
        .find((path) => exists(system, path) === true);
  const subject = "aws_signing_helper";
  if (found === undefined || exists(system, found) !== true)
    return [
      {
        subject,
        status: "ok",
        says: `not installed as ${printable(program, 200)}; where its lines are read natively it is not needed`,
      },
    ];
  const ran = await system.run(found, ["version"], TIMEOUT_MS);
  const version = ran.kind === "output" ? /\b(\d{1,4})\.(\d{1,4})\.(\d{1,4})\b/.exec(ran.stdout) : null;
  if (version === null)
    return [{ subject, status: "unknown", says: `${printable(found, 200)} does not tell its version` }];
  const [text, ...parts] = version;
  const old = !isLater(parts.map(Number), LAST_WITH_EMPTY_KEYS);
  return [
    old
      ? {
          subject,
          status: "finding",
          says: `version ${text}: its serve answers with empty keys after one failed renewal`,
          advice: [
            `take a release after ${LAST_WITH_EMPTY_KEYS.join(".")}, or imds-guard serve, or let its lines be read natively`,
          ],
        }
      : { subject, status: "ok", says: `version ${text}` },
  ];
}

function isLater(version: readonly number[], than: readonly number[]): boolean {
  const at = than.findIndex((part, index) => part !== version[index]);
  return at !== -1 && (version[at] ?? 0) > (than[at] ?? 0);
}
