/** The files of examples/ for fleets, judged by the programs that they are for, where those are installed. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";

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
    for (const name of names.filter((each) => !each.startsWith("cilium"))) {
      const path = join(EXAMPLES, "kubernetes", name);
      const args = ["-m", "kubernetes_validate", "-k", "1.32", "--strict", path];
      const { status, stdout, stderr } = spawnSync(python, args, { encoding: "utf8" });
      expect(status, `${stdout}${stderr}`).toBe(0);
    }
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
