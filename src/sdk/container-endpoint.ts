/**
 * Container credentials over a link-local address are as plain and as unproved as IMDS: on a host that shows no ECS, EKS
 * or Greengrass the variable, and not the host, is what leads there.
 */
import { EXPECT_ACCOUNTS } from "../base/advice.js";
import { fact } from "../base/errors.js";
import type { System } from "../base/system.js";
import { printable } from "../base/text.js";
import type { Guard } from "../guard/guard.js";
import { servicesOf } from "../guard/guard.js";
import { readContainer } from "../host/container.js";

export const RELATIVE_URI = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
export const FULL_URI = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
/** The agent of ECS, and the one of EKS Pod Identity over IPv4 and IPv6 (Amazon ECS and EKS user guides). */
const ENDPOINTS = ["169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"];
/** Runtimes whose agents answer there. */
const RUNTIMES = ["ecs", "ecs-fargate", "kubernetes"];
/** What CodeBuild and AWS IoT Greengrass set for what they run. */
const SURROUNDINGS = ["CODEBUILD_BUILD_ID", "GGC_VERSION"];

const warned = new WeakSet<Guard>();

/** Tells once for each guard of such an endpoint where no account is expected, and nothing shows that it belongs here. */
export async function warnOfContainerEndpoint(guard: Guard, system: System): Promise<void> {
  const named = endpointIn(system);
  if (named === undefined || warned.has(guard)) return;
  const { settings, reporter } = await servicesOf(guard);
  if (settings.expectedAccounts.length > 0 || belongsHere(system) || warned.has(guard)) return;
  warned.add(guard);
  const [variable, host] = named;
  reporter.report("credentials.container_unproved", {
    message: `${variable} leads to ${host}, on a host that shows no ECS, EKS or Greengrass`,
    evidence: [fact(variable, "a link-local address, by plain HTTP", printable(host))],
    advice: `Whoever owns the network answers there. ${EXPECT_ACCOUNTS} Or remove the variable.`,
  });
}

function endpointIn({ env }: System): readonly [string, string] | undefined {
  if (env[RELATIVE_URI]) return [RELATIVE_URI, "169.254.170.2"];
  const full = env[FULL_URI] ?? "";
  if (!URL.canParse(full)) return undefined;
  const { protocol, hostname } = new URL(full);
  return protocol === "http:" && ENDPOINTS.includes(hostname) ? [FULL_URI, hostname] : undefined;
}

function belongsHere(system: System): boolean {
  const { name } = readContainer(system);
  return (
    (name !== undefined && RUNTIMES.includes(name)) ||
    (system.env["AWS_EXECUTION_ENV"] ?? "").startsWith("AWS_ECS_") ||
    SURROUNDINGS.some((variable) => system.env[variable])
  );
}
