// @ts-check
/** How a client program is told what to do, and how it tells what it measured. */

/** The order, given as JSON in the one argument. @returns {any} */
export function order() {
  return JSON.parse(process.argv[2] ?? "{}");
}

/** Prints the answer and ends the process, whatever still runs in it. @param {object} answer */
export function report(answer) {
  process.stdout.write(JSON.stringify(answer), () => {
    process.exit(0);
  });
}
