/** How reading a log fails. */

/** Why a stream could not be read to its end. */
export class LogStreamError extends Error {
  override readonly name = "LogStreamError";
  /**
   * The system's or zlib's code (`ENOENT`, `Z_DATA_ERROR`, ...), `ERR_SCAN_ZSTD` where this Node.js cannot decompress,
   * `ERR_SCAN_DAMAGED` for archives that are broken, or `ERR_SCAN_BINARY` for what is no text.
   */
  readonly code: string;
  /** What to do about it. */
  readonly advice: string;

  constructor(code: string, message: string, advice: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.advice = advice;
  }
}

export const DAMAGED = "The file is cut off or damaged; what could be read of it was scanned";
