/** Times as logs write them, as milliseconds since the epoch. */

/** `Date` holds that many milliseconds either way. */
const LATEST = 8.64e15;

/**
 * Of a number of seconds, milliseconds, microseconds or nanoseconds since the epoch, told apart by their size, or of an
 * ISO 8601 text (also with a space for the `T`, and `+0000` for the offset; UTC where it names none).
 */
export function timeOf(value: unknown): number | undefined {
  if (typeof value === "number") return fromNumber(value);
  if (typeof value !== "string" || value.length > 40) return undefined;
  if (/^\d+(?:\.\d+)?$/.test(value)) return fromNumber(Number(value));
  const parts =
    /^(\d{4})[-/:](\d\d)[-/:](\d\d)[T -](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,9}))?\d*(?: ?(Z|UTC|[+-]\d\d:?(?:\d\d)?))?$/.exec(
      value,
    );
  if (parts === null) return clfTime(value.replace(/^\[(.*)\]$/, "$1")) ?? wordyTime(value);
  const [, year, month, day, clock, fraction = "", zone = "Z"] = parts;
  const offset = /^[+-]/.test(zone)
    ? zone.replace(/^([+-]\d\d):?(\d\d)?$/, (_, h: string, m = "00") => `${h}:${m}`)
    : "Z";
  return validOrNone(
    Date.parse(`${year}-${month}-${day}T${clock}${fraction === "" ? "" : `.${fraction.slice(0, 3)}`}${offset}`),
  );
}

/**
 * `Jul 05 2026 12:00:00 GMT`, `Sun, 05 Jul 2026 12:00:00 +0200`, `07/05/2026 12:00:00` (the month first); UTC where it
 * names no zone, and not the zone of the machine that reads it.
 */
function wordyTime(value: string): number | undefined {
  const american = /^(\d\d)\/(\d\d)\/(\d{4})[- ](\d\d:\d\d:\d\d(?:\.\d{1,3})?)\d*(?: ?(Z|[+-]\d\d):?(\d\d)?)?$/.exec(
    value,
  );
  if (american !== null) {
    const [, month, day, year, clock, hours = "Z", minutes = "00"] = american;
    return validOrNone(Date.parse(`${year}-${month}-${day}T${clock}${hours === "Z" ? "Z" : `${hours}:${minutes}`}`));
  }
  // Without a year that stands by itself, digits of the fraction would be taken for one.
  if (!/(?<![\d.])(?:19|20)\d\d(?![\d.])/.test(value) || !/\d\d?:\d\d/.test(value)) return undefined;
  const zoned = /(?:Z|UTC|GMT|[A-Z]{2,4}T|[+-]\d\d:?\d\d)\)?$/.test(value);
  return validOrNone(Date.parse(zoned ? value.replace(/([+-]\d\d)(\d\d)$/, "$1:$2") : `${value} UTC`));
}

function fromNumber(value: number): number | undefined {
  if (!(value >= 0)) return undefined;
  const milliseconds = value < 1e11 ? value * 1e3 : value < 1e14 ? value : value < 1e17 ? value / 1e3 : value / 1e6;
  return milliseconds < LATEST ? Math.round(milliseconds * 1e3) / 1e3 : undefined;
}

function validOrNone(time: number): number | undefined {
  return Number.isNaN(time) ? undefined : time;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** `10/Oct/2026:13:55:36 -0700`; the offset may be left out, and a space stand for the first colon. */
export function clfTime(text: string): number | undefined {
  const parts = /^(\d{1,2})\/(\w{3})\/(\d{4})[: ](\d{2}:\d{2}:\d{2})(?:\.\d+)?(?: ([+-]\d{2})(\d{2}))?$/.exec(text);
  if (parts === null) return undefined;
  const [, day = "", month = "", year, clock, hours = "+00", minutes = "00"] = parts;
  return timeOf(`${year}-${monthNumber(month)}-${day.padStart(2, "0")}T${clock}${hours}:${minutes}`);
}

/** `Oct 10 13:55:36`: taken for the latest such day up to `now` and a day. */
export function yearlessTime(month: string, day: string, clock: string, now: number): number | undefined {
  const latest = now + 86_400_000;
  const year = new Date(latest).getUTCFullYear();
  const at = (inYear: number): number | undefined =>
    timeOf(`${inYear}-${monthNumber(month)}-${day.padStart(2, "0")}T${clock}Z`);
  const time = at(year);
  return time !== undefined && time > latest ? at(year - 1) : time;
}

/** `Oct` -> `10`; what is no month becomes `00`, which no date has. */
export function monthNumber(name: string): string {
  const number = MONTHS.indexOf(name.charAt(0).toUpperCase() + name.slice(1).toLowerCase()) + 1;
  return String(number).padStart(2, "0");
}
