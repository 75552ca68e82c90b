/** When the chain says that nothing shows whose container credentials it is about to take. */
import { expect, it } from "vitest";
import { realSystem } from "../../src/base/system.js";
import type { GuardEvent } from "../../src/events/catalogue.js";
import { createGuard } from "../../src/guard/create-guard.js";
import { warnOfContainerEndpoint } from "../../src/sdk/container-endpoint.js";

const CODE = "credentials.container_unproved";

async function eventsFor(env: Readonly<Record<string, string>>, expectedAccounts?: readonly string[]) {
  const events: GuardEvent[] = [];
  const guard = createGuard({
    log: "off",
    probe: "off",
    onEvent: (event) => void events.push(event),
    ...(expectedAccounts && { expectedAccounts }),
  });
  const system = {
    ...realSystem,
    env,
    // No files tell of a container: only the environment does.
    platform: "darwin" as const,
  };
  await warnOfContainerEndpoint(guard, system);
  await warnOfContainerEndpoint(guard, system);
  await guard.close();
  return events.filter(({ code }) => code === CODE);
}

const RELATIVE = { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: "/v2/credentials/x" };
const full = (url: string) => ({ AWS_CONTAINER_CREDENTIALS_FULL_URI: url });

it.each([
  ["the agent of ECS", RELATIVE],
  ["the agent of ECS by its address", full("http://169.254.170.2/x")],
  ["written as a number", full("http://0xa9feaa02/x")],
  ["the agent of EKS", full("http://169.254.170.23/v1/credentials")],
  ["the same over IPv6", full("http://[fd00:ec2:0::23]/v1/credentials")],
])("once, where nothing shows a service that answers there: %s", async (_, env) => {
  const events = await eventsFor(env);
  expect(events).toHaveLength(1);
  expect(events[0]).toMatchObject({ severity: "warning", action: "accepted" });
});

it.each([
  [RELATIVE, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "169.254.170.2"],
  [full("http://[fd00:ec2::23]/x"), "AWS_CONTAINER_CREDENTIALS_FULL_URI", "[fd00:ec2::23]"],
])("says what of %j leads where", async (env, source, host) => {
  const [event] = await eventsFor(env);
  expect(event?.message).toBe(`${source} leads to ${host}, on a host that shows no ECS, EKS or Greengrass`);
  expect(event?.evidence).toEqual([{ source, value: `"${host}"`, says: "a link-local address, by plain HTTP" }]);
  expect(event?.advice).toBe(
    "Whoever owns the network answers there. Set expectedAccounts to the ids of your accounts, so that keys of any other account are refused. Or remove the variable.",
  );
});

it.each([
  ["no endpoint", {}, undefined],
  ["loopback", full("http://127.0.0.1:9911/"), undefined],
  ["TLS", full("https://169.254.170.2/"), undefined],
  ["no URL", full("no url"), undefined],
  ["an expected account", RELATIVE, ["111122223333"]],
  ["ECS", { ...RELATIVE, ECS_CONTAINER_METADATA_URI_V4: "http://169.254.170.2/v4/x" }, undefined],
  ["ECS by its execution environment", { ...RELATIVE, AWS_EXECUTION_ENV: "AWS_ECS_EC2" }, undefined],
  ["EKS", { ...full("http://169.254.170.23/"), KUBERNETES_SERVICE_HOST: "10.0.0.1" }, undefined],
  ["CodeBuild", { ...RELATIVE, CODEBUILD_BUILD_ID: "x:y" }, undefined],
  ["Greengrass", { ...RELATIVE, GGC_VERSION: "1.11" }, undefined],
])("not with %s", async (_, env, accounts) => {
  expect(await eventsFor(env, accounts)).toEqual([]);
});
