/** Looks at what Node deprecates for programs, without a warning that would be blamed on the program. */

/** Runs `look` with deprecation warnings off; the program's own uses still warn. */
export function withoutDeprecations<T>(look: () => T): T {
  const { noDeprecation } = process;
  try {
    process.noDeprecation = true;
    return look();
  } finally {
    if (noDeprecation === undefined) delete process.noDeprecation;
    else process.noDeprecation = noDeprecation;
  }
}
