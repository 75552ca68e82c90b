/** Every way of writing an IPv4 address into an IPv6 one, and IPv6 addresses in many spellings. */

/** Groups of four hexadecimal digits. */
export function groups(bytes: readonly number[]): string {
  const words: string[] = [];
  for (let index = 0; index < 16; index += 2)
    words.push((((bytes[index] ?? 0) << 8) | (bytes[index + 1] ?? 0)).toString(16));
  return words.join(":");
}

/** The longest run of zero groups as "::". */
export function compressed(text: string): string {
  return text.replace(/(?:^|:)0(?::0)+(?:$|:)/, "::");
}

type Quad = readonly [number, number, number, number];

/** Layout -> the 16 bytes that carry `quad`. */
export function carriers([a, b, c, d]: Quad): Readonly<Record<string, readonly number[]>> {
  const zeros = (count: number) => new Array<number>(count).fill(0);
  return {
    mapped: [...zeros(10), 0xff, 0xff, a, b, c, d],
    compatible: [...zeros(12), a, b, c, d],
    translated: [...zeros(8), 0xff, 0xff, 0, 0, a, b, c, d],
    nat64: [0, 0x64, 0xff, 0x9b, ...zeros(8), a, b, c, d],
    "nat64 local /48": [0, 0x64, 0xff, 0x9b, 0, 1, a, b, 0, c, d, ...zeros(5)],
    "nat64 local /56": [0, 0x64, 0xff, 0x9b, 0, 1, 7, a, 0, b, c, d, ...zeros(4)],
    "nat64 local /64": [0, 0x64, 0xff, 0x9b, 0, 1, 7, 7, 0, a, b, c, d, ...zeros(3)],
    "nat64 local /96": [0, 0x64, 0xff, 0x9b, 0, 1, 7, 7, 0, 7, 7, 7, a, b, c, d],
    "6to4": [0x20, 0x02, a, b, c, d, ...zeros(9), 1],
    teredo: [0x20, 0x01, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, a ^ 255, b ^ 255, c ^ 255, d ^ 255],
    isatap: [0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 2, 0, 0, 0x5e, 0xfe, a, b, c, d],
    "isatap, universal": [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 2, 0, 0x5e, 0xfe, a, b, c, d],
  };
}

export const IMDS_QUAD: Quad = [169, 254, 169, 254];
