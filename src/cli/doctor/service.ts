/** On EC2: does the service demand tokens, is it proved to be AWS, is there a role? */
import { isImdsGuardError } from "../../base/errors.js";
import { shellCommand } from "../../base/text.js";
import type { Guard } from "../../guard/guard.js";
import type { NetworkAnswers } from "./answers.js";
import { hopLimitCommand } from "./answers.js";
import type { Check, Machine } from "./check.js";

/** Judges what a request without a token came to. */
export function judgeTokens({ imds }: NetworkAnswers, machine: Machine): Check[] {
  if (machine.host.verdict !== "ec2") return [];
  return imds
    .filter(({ answer }) => answer.kind === "imdsv2")
    .map(({ address, plain }) => {
      const line = { section: "service", id: "imdsv1", subject: `IMDSv1 at ${address}` } as const;
      if (plain?.status === 401)
        return { ...line, status: "ok", says: "a request without a token gets 401: tokens are required" };
      if (plain?.status === 200) {
        const id = machine.host.instanceId ?? "INSTANCE_ID";
        const command = shellCommand(
          `aws ec2 modify-instance-metadata-options --instance-id ID --http-tokens required --http-endpoint enabled`
            .split(" ")
            .map((word) => (word === "ID" ? id : word)),
        );
        return {
          ...line,
          status: "finding",
          says: "a request without a token gets 200: IMDSv1 still answers, also through a forged request (SSRF)",
          advice: [`$ ${command}`],
          fixes: [
            {
              title:
                "Require tokens on this instance (from a place with the permission; CloudWatch metric MetadataNoToken tells who still goes without)",
              text: command,
            },
          ],
        };
      }
      return { ...line, status: "unknown", says: `a request without a token gets ${plain?.status ?? "no answer"}` };
    });
}

/** Options of an instance that it cannot see itself. */
export function hopLimit(machine: Machine): Check[] {
  if (machine.host.verdict !== "ec2") return [];
  return [
    {
      section: "service",
      id: "hop-limit",
      status: "unknown",
      subject: "hop limit",
      says: "an instance cannot see its own: 1 keeps answers out of containers on bridges, 2 lets them in",
      advice: [hopLimitCommand(machine)],
    },
  ];
}

/**
 * Proves the responder as any use of the guard would, and looks whether a role is there. Credentials are not asked for.
 */
export async function checkService(guard: Guard, answers: NetworkAnswers, machine: Machine): Promise<Check[]> {
  const answered = answers.imds.some(({ answer }) => answer.kind === "imdsv2");
  if (machine.host.verdict === "not-ec2" || !answered) return [];
  const identity = await attempt({ section: "service", id: "identity", subject: "identity document" }, async () => {
    const { decision } = await guard.whereAmI();
    if (decision.kind === "refuse")
      return { status: "unknown", says: `not asked for: ${decision.reason}`, advice: [decision.advice] };
    const document = await guard.identity();
    if (document === undefined)
      return {
        status: "unknown",
        says: "not verified: attestation is off, or no key of the region is known",
        advice: ["leave attestation at auto, or add the region's certificate (certificates)"],
      };
    return {
      status: "ok",
      says: `signed by AWS: account ${document.accountId}, ${document.instanceId} in ${document.region}`,
    };
  });
  if (identity.status !== "ok") return [identity];
  const role = await attempt({ section: "service", id: "role", subject: "instance role" }, async () => {
    const info = await guard.metadata("/latest/meta-data/iam/info");
    const arn = /"InstanceProfileArn"\s*:\s*"([\w:/+=,.@-]{1,256})"/.exec(info)?.[1];
    return arn === undefined
      ? { status: "unknown", says: "the answer about it has no profile ARN" }
      : { status: "ok", says: arn };
  });
  return [identity, role];
}

type Seen = Pick<Check, "status" | "says" | "advice">;

async function attempt(line: Pick<Check, "section" | "id" | "subject">, look: () => Promise<Seen>): Promise<Check> {
  try {
    return { ...line, ...(await look()) };
  } catch (error) {
    if (!isImdsGuardError(error)) throw error;
    if (error.code === "ERR_IMDS_NOT_FOUND" && line.id === "role")
      return { ...line, status: "ok", says: "none is attached" };
    const finding = error.kind === "impersonation" || error.kind === "untrusted";
    return {
      ...line,
      status: finding ? "finding" : "unknown",
      says: `${error.message} [${error.code}]`,
      advice: [error.advice],
      evidence: error.evidence,
    };
  }
}
