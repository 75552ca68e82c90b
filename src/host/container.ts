/** Signs of a container, for the explanation only: images and environments travel, so they decide nothing. */
import type { System } from "../base/system.js";
import { type ContainerFacts, type Fact, readFact, textFact } from "./facts.js";

/** Files and the runtime that makes them. Their being there is the sign, whatever they contain. */
const MARKER_FILES = [
  ["/.dockerenv", "docker"],
  ["/run/.containerenv", "podman"],
] as const;

/** Environment variables and the runtime that sets them, most telling first. */
const MARKER_VARIABLES = [
  ["AWS_LAMBDA_FUNCTION_NAME", "lambda"],
  ["ECS_CONTAINER_METADATA_URI_V4", "ecs"],
  ["ECS_CONTAINER_METADATA_URI", "ecs"],
  ["KUBERNETES_SERVICE_HOST", "kubernetes"],
] as const;

/** Runtimes by the names that they give to control groups. Ordered: a pod's group may name its runtime, too. */
const CGROUP_NAMES = [
  [/\/kubepods[./-]/, "kubernetes"],
  [/\/ecs\//, "ecs"],
  [/\/libpod[-_]/, "podman"],
  [/\/docker[-/]/, "docker"],
  [/\/lxc[./]/, "lxc"],
] as const;

const CGROUP_FILE = "/proc/self/cgroup";
const CGROUP_LIMIT = 16 * 1024;

/** Looks at marker files, the control group and the environment; of a variable only its being set is kept. */
export function readContainer(system: System): ContainerFacts {
  const names: string[] = [];
  const facts: Fact[] = [];
  if (system.env["AWS_EXECUTION_ENV"] === "AWS_ECS_FARGATE") {
    names.push("ecs-fargate");
    facts.push(textFact("container", "env AWS_EXECUTION_ENV", "AWS_ECS_FARGATE"));
  }
  for (const [variable, name] of MARKER_VARIABLES) {
    if (!system.env[variable]) continue;
    names.push(name);
    facts.push(textFact("container", `env ${variable}`, "(set)"));
  }
  if (system.platform === "linux") readLinuxMarkers(system, names, facts);
  const [name] = names;
  return name === undefined ? { facts } : { name, facts };
}

function readLinuxMarkers(system: System, names: string[], facts: Fact[]): void {
  const group = readFact(system, "container", CGROUP_FILE, CGROUP_LIMIT);
  if (group.status === "present") {
    const known = CGROUP_NAMES.find(([pattern]) => pattern.test(group.value));
    if (known !== undefined) {
      names.push(known[1]);
      facts.push(group);
    }
  }
  for (const [path, name] of MARKER_FILES) {
    const marker = readFact(system, "container", path);
    if (marker.status === "absent" || marker.status === "unreadable") continue;
    names.push(name);
    facts.push(marker);
  }
}
