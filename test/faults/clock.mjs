// @ts-check
/** The clocks of this process in the hands of a scenario; loaded before anything that looks at them. */

const { now } = Date;
const monotonic = performance.now.bind(performance);
let skew = 0;
let slept = 0;

Date.now = () => Math.round(now() + skew);
performance.now = () => monotonic() + slept;

/** Time goes by, on both clocks. @param {number} ms */
export function advance(ms) {
  skew += ms;
  slept += ms;
}

/** Somebody sets the clock of the day; the one that never jumps goes on. @param {number} ms */
export function setClock(ms) {
  skew += ms;
}
