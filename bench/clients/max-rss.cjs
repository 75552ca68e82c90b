/** Loaded with --require: says at the end how much memory this process has had at most. */
process.once("exit", () => process.stderr.write(`max-rss ${process.resourceUsage().maxRSS}\n`));
