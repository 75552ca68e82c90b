/** Writes an IPv6 address as people do. */

/**
 * 16 bytes in the form of RFC 5952: lower case, the longest run of zero groups as `::`, an IPv4 address in an IPv6 one
 * as such.
 */
export function ipv6Text(bytes: Uint8Array): string {
  if (bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff)
    return `::ffff:${bytes.subarray(12).join(".")}`;
  const groups = Array.from({ length: 8 }, (_, index) =>
    (((bytes[index * 2] ?? 0) << 8) | (bytes[index * 2 + 1] ?? 0)).toString(16),
  ).join(":");
  const runs = groups.match(/\b0(?::0)+\b/g) ?? [];
  // The first of the longest: sorting keeps the order of equals.
  const longest = runs.toSorted((a, b) => b.length - a.length)[0];
  if (longest === undefined) return groups;
  const at = new RegExp(`(?:^|:)${longest}(?:$|:)`).exec(groups) as RegExpExecArray;
  return `${groups.slice(0, at.index)}::${groups.slice(at.index + at[0].length)}`;
}
