/** Signs of containers, which are named and never counted. */
import { describe, expect, test } from "vitest";
import { readContainer } from "../../src/host/container.js";
import { fakeHost } from "./fake-host.js";

describe("readContainer", () => {
  test.each([
    ["nothing", {}, undefined],
    [
      "Fargate, before ECS",
      { "env/AWS_EXECUTION_ENV": "AWS_ECS_FARGATE", "env/ECS_CONTAINER_METADATA_URI_V4": "http://169.254.170.2/v4/x" },
      "ecs-fargate",
    ],
    [
      "ECS on EC2",
      { "env/AWS_EXECUTION_ENV": "AWS_ECS_EC2", "env/ECS_CONTAINER_METADATA_URI_V4": "http://169.254.170.2/v4/x" },
      "ecs",
    ],
    ["Lambda", { "env/AWS_LAMBDA_FUNCTION_NAME": "f" }, "lambda"],
    ["Kubernetes, before its runtime", { "env/KUBERNETES_SERVICE_HOST": "10.0.0.1", ".dockerenv": "" }, "kubernetes"],
    ["a variable set to nothing", { "env/KUBERNETES_SERVICE_HOST": "" }, undefined],
    ["Docker by its file", { ".dockerenv": "" }, "docker"],
    ["Podman by its file", { "run/.containerenv": 'engine="podman-4.9.3"' }, "podman"],
    ["Docker by group", { "proc/self/cgroup": "12:pids:/docker/4a5b6c\n11:cpu:/docker/4a5b6c" }, "docker"],
    ["Docker by systemd group", { "proc/self/cgroup": "0::/system.slice/docker-4a5b6c.scope" }, "docker"],
    [
      "a pod's group",
      { "proc/self/cgroup": "0::/kubepods.slice/kubepods-burstable.slice/cri-containerd-1.scope" },
      "kubernetes",
    ],
    ["an ECS task's group", { "proc/self/cgroup": "9:memory:/ecs/0f1e2d/4a5b6c" }, "ecs"],
    ["LXC", { "proc/self/cgroup": "0::/lxc.payload.web" }, "lxc"],
    [
      "the service of a Docker daemon is no container",
      { "proc/self/cgroup": "0::/system.slice/docker.service" },
      undefined,
    ],
    ["a plain session", { "proc/self/cgroup": "0::/user.slice/user-1000.slice" }, undefined],
  ])("%s", (_what, files, name) => {
    const facts = readContainer(fakeHost({ platform: "linux", files }));
    expect(facts.name).toBe(name);
    expect(facts.facts.length > 0).toBe(name !== undefined);
  });

  test("keeps of a variable only that it is set", () => {
    const { facts } = readContainer(
      fakeHost({ platform: "linux", files: { "env/ECS_CONTAINER_METADATA_URI_V4": "http://169.254.170.2/v4/token" } }),
    );
    expect(facts).toEqual([
      { kind: "container", source: "env ECS_CONTAINER_METADATA_URI_V4", status: "present", value: "(set)" },
    ]);
  });

  test("an unreadable marker is no sign", () => {
    expect(readContainer(fakeHost({ platform: "linux", files: {}, missing: "unreadable" }))).toEqual({ facts: [] });
  });

  test("reads no file outside Linux", () => {
    const system = {
      ...fakeHost({ platform: "win32", files: { "env/KUBERNETES_SERVICE_HOST": "10.0.0.1" } }),
      readFile: () => expect.unreachable(),
    };
    expect(readContainer(system).name).toBe("kubernetes");
  });
});
