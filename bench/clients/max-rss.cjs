/** Loaded with --require: says at the end how much memory this process has had at most, in KiB, and its CPU seconds. */
process.once("exit", () => {
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
  process.stderr.write(`max-rss ${maxRSS} cpu ${(userCPUTime + systemCPUTime) / 1e6}\n`);
});
