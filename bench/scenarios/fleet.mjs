// @ts-check
/** What a look at a large fleet costs, against a stand-in for AWS on loopback: time, calls, memory. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { emptyRegion, startFleetService } from "../../test/support/fleet-service.mjs";
import { oursAtMost } from "../figures.mjs";

const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const MAX_RSS = fileURLToPath(new URL("../clients/max-rss.cjs", import.meta.url));
const FULL = { instances: 10_000, regions: 30, accounts: 200 };
const SHORT = { instances: 1_000, regions: 30, accounts: 20 };
const MINUTES = 10;
const MOST_MIB = 512;

/** @param {import("../figures.mjs").Extent} extent @returns {Promise<import("../figures.mjs").Section>} */
export async function fleet({ short }) {
  const { instances, regions, accounts } = short ? SHORT : FULL;
  const names = Array.from({ length: regions }, (_, index) => `eu-bench-${index + 1}`);
  const ids = Array.from({ length: accounts }, (_, index) => String(100_000_000_000 + index));
  const each = instances / accounts;
  const service = await startFleetService({
    owner: ids[0] ?? "",
    regions: names,
    // Most instances of an account are in one of its regions, as in life.
    regionOf: (accountId, region) => {
      const here = emptyRegion();
      const at = names.indexOf(region);
      const account = Number(accountId) - 100_000_000_000;
      const count = at === account % regions ? each - Math.min(each, regions - 1) + 1 : at < each ? 1 : 0;
      for (let index = 0; index < count; index += 1) {
        const number = (account * regions + at) * 10_000 + index;
        here.instances.push({
          id: `i-${number.toString(16).padStart(17, "0")}`,
          options: { HttpTokens: index % 3 === 0 ? "required" : "optional", HttpEndpoint: "enabled" },
          tags: index % 11 === 0 ? { IMDS: "v1" } : { Name: `host-${index}` },
          points: Array.from({ length: 14 * 24 }, (_, hour) => [hour, index % 5 === 0 && hour === 40 ? 3 : 0]),
        });
      }
      return here;
    },
  });
  try {
    const began = performance.now();
    const child = spawn(
      process.execPath,
      [CLI, "fleet", "audit", "--json", "--accounts", ids.join(","), "--role", "audit"],
      {
        stdio: ["ignore", "pipe", "pipe"],
        env: {
          PATH: process.env["PATH"],
          NODE_OPTIONS: `--require=${MAX_RSS}`,
          AWS_ENDPOINT_URL: service.url,
          AWS_ACCESS_KEY_ID: "testing",
          AWS_SECRET_ACCESS_KEY: "testing",
          AWS_REGION: names[0],
          AWS_EC2_METADATA_DISABLED: "true",
          AWS_CONFIG_FILE: "/dev/null",
          AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
          IMDS_GUARD_PROBE: "off",
        },
      },
    );
    let stderr = "";
    let seen = 0;
    child.stderr.setEncoding("utf8").on("data", (text) => (stderr += text));
    child.stdout.setEncoding("utf8").on("data", (text) => (seen += text.split('"kind":"instance"').length - 1));
    const [code] = await once(child, "close");
    const seconds = (performance.now() - began) / 1_000;
    const [, rss, cpu] = /max-rss (\d+) cpu ([\d.]+)/.exec(stderr) ?? [];
    // A text that is cut between two chunks is counted in neither.
    if (code !== 1 || seen < instances * 0.9)
      throw new Error(`the audit ended with ${code}, and saw ${seen}: ${stderr}`);
    const calls = [...service.calls.values()].reduce((sum, count) => sum + count, 0);
    return {
      title: `A fleet of ${instances} instances in ${regions} regions and ${accounts} accounts, on loopback`,
      rows: [
        { what: "time", unit: "s", ours: [seconds], goals: short ? [] : [oursAtMost(MINUTES * 60)] },
        { what: "calls of AWS's APIs", unit: "calls", ours: [calls] },
        { what: "calls a second", unit: "1/s", ours: [calls / seconds] },
        { what: "memory at most", unit: "MiB", ours: [Number(rss) / 1_024], goals: [oursAtMost(MOST_MIB)] },
        { what: "CPU of the command", unit: "s", ours: [Number(cpu)] },
      ],
    };
  } finally {
    await service.close();
  }
}
