/** The files of examples/ for fleets, judged by the programs that they are for, where those are installed. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { toEcs } from "../../src/events/ecs.js";
import { METRICS_TYPE, metricsText } from "../../src/monitor/metrics.js";
import { IMPERSONATION, eventOf } from "../events/samples.js";

const ROOT = join(import.meta.dirname, "../..");
const EXAMPLES = join(ROOT, "examples");
const folder = mkdtempSync(join(tmpdir(), "imds-guard-deploy-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function installed(program: string): boolean {
  const found = spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;
  if (!found) console.log(`skipped, because ${program} is not installed`);
  return found;
}

const textsOf = (path: string): string[] =>
  readdirSync(join(EXAMPLES, path))
    .filter((name) => /\.(?:json|ya?ml)$/.test(name))
    .map((name) => readFileSync(join(EXAMPLES, path, name), "utf8"));

describe("the alerts and the dashboard", () => {
  test("name no metric and no event that there is not", () => {
    const sources = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" }).filter((name) =>
      name.endsWith(".ts"),
    );
    const source = sources.map((name) => readFileSync(join(ROOT, "src", name), "utf8")).join("\n");
    const text = [...textsOf("prometheus"), ...textsOf("grafana")].join("\n");
    const metrics = new Set([...text.matchAll(/\bimds_guard_[a-z_]+/g)].map(([name]) => name));
    const events = new Set([...text.matchAll(/\b(?:imds|monitor)\.[a-z]+_[a-z_]+/g)].map(([name]) => name));
    expect(metrics.size).toBeGreaterThan(5);
    expect(events.size).toBeGreaterThan(5);
    for (const name of [...metrics, ...events]) expect(source, name).toContain(name);
  });

  test.skipIf(!installed("promtool"))("promtool accepts the rules, and they fire when they should", () => {
    const cwd = join(EXAMPLES, "prometheus");
    execFileSync("promtool", ["check", "config", "prometheus.yml"], { cwd, stdio: "pipe" });
    const tests = spawnSync("promtool", ["test", "rules", "imds-guard.rules.test.yml"], { cwd, encoding: "utf8" });
    expect(`${tests.stdout}${tests.stderr}`).toContain("SUCCESS");
    expect(tests.status).toBe(0);
  });
});

describe("the manifests of Kubernetes", () => {
  const names = readdirSync(join(EXAMPLES, "kubernetes"));

  test("run nothing as root but what puts the rules in place, and take no more than they need", () => {
    for (const text of textsOf("kubernetes"))
      for (const document of parseAllDocuments(text)) {
        const { kind, spec } = document.toJS() as { kind: string; spec: { template?: { spec: Pod } } & Pod };
        if (kind !== "DaemonSet" && kind !== "Pod") continue;
        const pod = spec.template?.spec ?? spec;
        for (const { name, securityContext } of [...(pod.initContainers ?? []), ...pod.containers]) {
          if (name === "app") continue;
          expect(securityContext?.capabilities?.drop, name).toEqual(["ALL"]);
          if (name !== "rules") expect(securityContext?.runAsNonRoot, name).toBe(true);
        }
      }
  });

  test("a validator of others accepts them, strictly", { timeout: 300_000 }, (context) => {
    const python = join(folder, "venv/bin/python");
    const made =
      spawnSync("python3", ["-m", "venv", join(folder, "venv")]).status === 0 &&
      spawnSync(python, ["-m", "pip", "install", "--quiet", "kubernetes-validate"]).status === 0;
    if (!made) return context.skip("kubernetes-validate cannot be installed here");
    const paths = names.filter((each) => !each.startsWith("cilium")).map((name) => join(EXAMPLES, "kubernetes", name));
    for (const path of paths) {
      const args = ["-m", "kubernetes_validate", "-k", "1.32", "--strict", path];
      const { status, stdout, stderr } = spawnSync(python, args, { encoding: "utf8" });
      expect(status, `${stdout}${stderr}`).toBe(0);
    }
    if (!installed("kubeconform")) return;
    // The schemas that came with the other validator: kubeconform fetches its own from where tests do not go.
    const [library] = readdirSync(join(folder, "venv/lib"));
    const origin = join(folder, "venv/lib", library!, "site-packages/kubernetes_validate/kubernetes-json-schema");
    const schemas = mkdtempSync(join(folder, "schemas-"));
    for (const name of ["_definitions", "daemonset-apps-v1", "networkpolicy-networking-v1", "pod-v1"]) {
      const schema = readFileSync(join(origin, "v1.32.0-local-strict", `${name}.json`), "utf8")
        .replaceAll('"/api/_definitions.json', `"file://${schemas}/_definitions.json`)
        .replace(/"\$id": "[^"]*",/, "");
      writeFileSync(join(schemas, `${name}.json`), schema);
    }
    const location = `${schemas}/{{.ResourceKind}}{{.KindSuffix}}.json`;
    const found = spawnSync("kubeconform", ["-strict", "-summary", "-schema-location", location, ...paths], {
      encoding: "utf8",
    });
    expect(found.stdout).toContain(`Valid: ${paths.length}, Invalid: 0, Errors: 0`);
  });
});

interface Container {
  readonly name: string;
  readonly securityContext?: { readonly runAsNonRoot?: boolean; readonly capabilities?: { readonly drop?: string[] } };
}

interface Pod {
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
}

test.skipIf(!installed("ansible-playbook"))("Ansible accepts the playbook", () => {
  const args = ["--syntax-check", join(EXAMPLES, "ansible/playbook.yml")];
  expect(spawnSync("ansible-playbook", args, { encoding: "utf8" }).status).toBe(0);
});

test("log agents' configurations read the file that the unit of the monitor writes", () => {
  const unit = readFileSync(join(EXAMPLES, "systemd/imds-guard-monitor.service"), "utf8");
  expect(unit).toContain("--file /var/log/imds-guard/monitor.jsonl");
  for (const path of ["otel-collector/config.yaml", "fluent-bit/fluent-bit.yaml", "vector/vector.yaml"]) {
    const text = readFileSync(join(EXAMPLES, path), "utf8");
    expect(parse(text)).toBeTypeOf("object");
    expect(text).toContain("/var/log/imds-guard/*.jsonl");
  }
});

test.skipIf(!installed("actionlint"))("actionlint has nothing to say against the workflows", () => {
  const workflows = join(ROOT, ".github/workflows");
  const paths = readdirSync(workflows).map((name) => join(workflows, name));
  const { stdout, status } = spawnSync("actionlint", paths, { encoding: "utf8" });
  expect(stdout).toBe("");
  expect(status).toBe(0);
});

test.skipIf(!installed("otelcol-guard"))(
  "the collector of OpenTelemetry takes the events of a file, with their time, and the metrics",
  { timeout: 60_000 },
  async () => {
    const logs = join(folder, "log");
    mkdirSync(logs);
    const event = eventOf("imds.impersonation_detected", IMPERSONATION);
    writeFileSync(join(logs, "monitor.jsonl"), `${JSON.stringify(toEcs(event, "1.2.3"))}\n`);
    const metrics = createServer((_, response) => {
      const status = { looks: 3, failedLooks: 0, reported: {}, responder: true, overflow: 0 };
      response.setHeader("content-type", METRICS_TYPE);
      response.end(metricsText({ ...status, lastLook: undefined, lastLookMs: undefined }, {}, 1_000, 5));
    }).listen(0, "127.0.0.1");
    await once(metrics, "listening");
    const { port } = metrics.address() as AddressInfo;
    const config = readFileSync(join(EXAMPLES, "otel-collector/config.yaml"), "utf8")
      .replace("/var/log/imds-guard/", `${logs}/`)
      .replace("127.0.0.1:9910", `127.0.0.1:${port}`)
      .replace("scrape_interval: 30s", "scrape_interval: 1s");
    // Its own metrics would want a port that others may have.
    const telemetry = "  telemetry: { metrics: { level: none } }\n";
    const path = join(folder, "collector.yaml");
    writeFileSync(path, config.trimEnd() + "\n" + telemetry);
    const collector = spawn("otelcol-guard", ["--config", path], { stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    collector.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
    try {
      for (let tries = 0; tries < 500 && !/imds_guard_looks(_total)?\b/.test(said); tries++) await sleep(100);
      for (let tries = 0; tries < 100 && !said.includes("LogRecord #0"); tries++) await sleep(100);
    } finally {
      collector.kill("SIGKILL");
      metrics.close();
    }
    expect(said).toContain(`Timestamp: ${event.time.replace("T", " ").replace(/0*Z$/, "")}`);
    expect(said).toMatch(/imds-impersonation-detected/);
    expect(said).toMatch(/imds_guard_looks(_total)?\b/);
  },
);
