/** Times as AWS writes them: ISO 8601, whole or fractional seconds, UTC. */

const UTC_TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,9})?Z$/;

/** Whether `text` is such a time and names a real one: no 30 February, no 24:00, no leap second. */
export function isUtcTime(text: string): boolean {
  const seconds = UTC_TIME.exec(text)?.[1];
  if (seconds === undefined) return false;
  const time = new Date(`${seconds}Z`);
  // Some engines roll 30 February over to March, so the time has to survive the way back.
  return !Number.isNaN(time.getTime()) && time.toISOString() === `${seconds}.000Z`;
}
