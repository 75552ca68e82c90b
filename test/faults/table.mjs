// @ts-check
/** The figures of all scenarios as one table, and what was missed. */

const MAX_GROWTH_MIB = 2;

/**
 * The goals that every scenario has. @param {any} result @returns {{ met: boolean | undefined, missed: readonly
 * string[] }}
 */
export function verdict(result) {
  if (result.skipped !== undefined) return { met: undefined, missed: [] };
  if (result.broken !== undefined) return { met: false, missed: [result.broken] };
  const { failed, stale, refreshes, perRefresh, atMostPerRefresh, left, growth, unhandled, missed } = result;
  const all = [
    ...missed,
    ...(refreshes === 0 ? ["no renewal ever came about, so nothing was tried"] : []),
    ...(failed > 0 ? [`${failed} calls failed while valid credentials were held (${result.codes.join(", ")})`] : []),
    ...(stale > 0 ? [`${stale} calls were given ended credentials`] : []),
    ...(perRefresh > atMostPerRefresh
      ? [`${perRefresh.toFixed(1)} requests for each renewal, goal ${atMostPerRefresh}`]
      : []),
    ...(left > 0 ? [`${left} timers or sockets are left`] : []),
    ...(growth > MAX_GROWTH_MIB ? [`heap and buffers grew by ${growth.toFixed(1)} MiB`] : []),
    ...(unhandled > 0 ? [`${unhandled} unhandled rejections`] : []),
  ];
  return { met: all.length === 0, missed: all };
}

/** @param {readonly any[]} results */
export function table(results) {
  const head = [
    "scenario",
    "calls",
    "failed with valid",
    "failed without",
    "ended",
    "renewals",
    "requests",
    "per renewal",
    "goal",
    "left",
    "MiB",
    "s",
    "",
  ];
  const lines = results.map((result) => {
    if (result.calls === undefined)
      return [
        result.name,
        ...Array.from({ length: 11 }, () => "-"),
        result.skipped === undefined ? "BROKEN" : "skipped",
      ];
    const {
      name,
      calls,
      failed,
      failedWithout,
      stale,
      refreshes,
      requests,
      perRefresh,
      atMostPerRefresh,
      left,
      growth,
      ms,
      met,
    } = result;
    return [
      name,
      calls.toLocaleString("en-US"),
      failed,
      failedWithout,
      stale,
      refreshes,
      requests.toLocaleString("en-US"),
      perRefresh.toFixed(1),
      `<= ${atMostPerRefresh}`,
      left,
      growth.toFixed(2),
      (ms / 1000).toFixed(1),
      met ? "met" : "MISSED",
    ].map(String);
  });
  const widths = head.map((_, column) => Math.max(...[head, ...lines].map((line) => (line[column] ?? "").length)));
  const text = [head, ...lines].map((line) =>
    line
      .map((word, column) => (column === 0 ? word.padEnd(widths[column] ?? 0) : word.padStart(widths[column] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
  const notes = results.flatMap(({ name, note, missed, skipped }) => [
    ...(skipped === undefined ? [] : [`  ${name}: not here: ${skipped}`]),
    ...(note === undefined ? [] : [`  ${name}: ${note}`]),
    ...missed.map((/** @type {string} */ each) => `  MISSED ${name}: ${each}`),
  ]);
  return `${[...text, ...notes].join("\n")}\n`;
}
