/** Preloaded into a daemon: at SIGUSR2 it tells what it has used so far, as a line of JSON in a file. */
const { appendFileSync } = require("node:fs");

process.on("SIGUSR2", () => {
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
  const line = JSON.stringify({ megabytes: maxRSS / 1024, cpuMs: (userCPUTime + systemCPUTime) / 1_000 });
  appendFileSync(process.env.USAGE_FILE, `${line}\n`);
});
