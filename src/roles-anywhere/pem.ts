/** Takes PEM text apart (RFC 7468): strict about its lines, linear in its length, and silent about what is inside. */

/** One block between its BEGIN and END lines. */
export interface PemBlock {
  /** `CERTIFICATE`, `PRIVATE KEY`, `ENCRYPTED PRIVATE KEY`, ... */
  readonly label: string;
  readonly der: Buffer;
  /** The block as it is handed to OpenSSL, with the header lines of older formats. */
  readonly text: string;
  /** PKCS#8 says so in its label, older formats in a `Proc-Type` line. */
  readonly encrypted: boolean;
}

/** What a text came to. */
export interface PemRead {
  readonly blocks: readonly PemBlock[];
  /** What is wrong with a block, in words that complete "it"; the blocks before it are there. */
  readonly problem?: string;
}

/** The largest text that is read, in characters: a leaf of ML-DSA-87 with ten intermediates is 120 KiB. */
export const MAX_PEM = 256 * 1024;
/** The most blocks of one text. */
const MAX_BLOCKS = 32;

const BEGIN = /^-----BEGIN ([A-Z0-9][A-Z0-9 #-]{0,62})-----$/;
const END = /^-----END ([A-Z0-9][A-Z0-9 #-]{0,62})-----$/;
/** Of any length: secret stores keep a block in one line. */
const BASE64_LINE = /^[A-Za-z0-9+/]+={0,2}$/;
const HEADER_LINE = /^[A-Za-z][A-Za-z-]{0,30}: .{0,200}$/;

/** Reads every block of `text`. What stands between blocks is skipped, as OpenSSL does. */
export function readPem(text: string): PemRead {
  const blocks: PemBlock[] = [];
  if (text.length > MAX_PEM) return { blocks, problem: `is longer than ${MAX_PEM} characters` };
  let open: { label: string; lines: string[]; headers: string[]; begun: number } | undefined;
  for (const [index, raw] of text.split("\n").entries()) {
    const line = raw.trim();
    if (open === undefined) {
      const label = BEGIN.exec(line)?.[1];
      if (label !== undefined) open = { label, lines: [], headers: [], begun: index + 1 };
      else if (line.startsWith("-----BEGIN")) return { blocks, problem: problemOfBegin(line, index + 1) };
      continue;
    }
    const end = END.exec(line)?.[1];
    if (end !== undefined) {
      if (end !== open.label) return { blocks, problem: `ends a block (line ${index + 1}) that it did not begin` };
      const base64 = open.lines.join("");
      // Only the last line may be padded, and the characters have to make whole octets.
      if (base64 === "" || base64.length % 4 !== 0 || /=[^=]/.test(base64))
        return { blocks, problem: `has a block (line ${open.begun}) that is not base64` };
      const sealed = open.headers.some((header) => /^Proc-Type: .*ENCRYPTED/.test(header));
      // Others (RFC 1421 has many) are none of OpenSSL's, which takes a block with them for a broken one.
      const headers = sealed ? open.headers : [];
      blocks.push({
        label: open.label,
        der: Buffer.from(base64, "base64"),
        text: [`-----BEGIN ${end}-----`, ...headers, ...linesOf(base64), `-----END ${end}-----`, ""].join("\n"),
        encrypted: end.startsWith("ENCRYPTED ") || sealed,
      });
      if (blocks.length > MAX_BLOCKS) return { blocks, problem: `has more than ${MAX_BLOCKS} blocks` };
      open = undefined;
    } else if (open.lines.length === 0 && (HEADER_LINE.test(line) || (line === "" && open.headers.length > 0))) {
      open.headers.push(line);
    } else if (BASE64_LINE.test(line)) {
      open.lines.push(line);
    } else if (line !== "") {
      return { blocks, problem: `has a line (${index + 1}) within a block that is not base64` };
    }
  }
  return open === undefined
    ? { blocks }
    : { blocks, problem: `ends within a block (begun in line ${open.begun}), as a file does that is being written` };
}

/** As OpenSSL writes and reads them. */
function linesOf(base64: string): readonly string[] {
  return base64.match(/.{1,64}/g) ?? [];
}

function problemOfBegin(line: string, number: number): string {
  if (!/^-----BEGIN [^-]{1,64}-----./.test(line)) return `has a malformed BEGIN line (${number})`;
  const how = line.includes("-----\\n") ? "are written as \\n" : "are lost";
  return `has more behind a BEGIN line (${number}): its line ends ${how}`;
}

/** What a text is that holds no block of the kind that was sought, in words that complete "in PEM form"; or nothing. */
export function insteadOf(text: string, { blocks }: PemRead): string {
  const labels = [...new Set(blocks.map(({ label }) => label))];
  if (labels.length > 0) return `, but ${labels.slice(0, 4).join(", ")}`;
  const start = text.slice(0, 4_096).trim();
  // A SEQUENCE whose length takes octets of its own; such octets are no UTF-8.
  if (/^0[\x80-\xff\ufffd]/.test(start)) return ", but DER or PKCS#12";
  if (start.includes("-\0-\0-")) return ", but text in UTF-16";
  if (/^["'{[].*-----BEGIN /s.test(start)) return ", but within quotes or JSON";
  if (/^LS0tLS1CRUdJTi/.test(start)) return ", but base64 of a text in it";
  if (/^MI[A-Za-z0-9+/\s]{30,}/.test(start)) return ", but base64 without BEGIN and END lines";
  return "";
}
