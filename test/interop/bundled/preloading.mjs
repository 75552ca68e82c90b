/** The preload bundled with the program: it is the program's first import, and no file of its own any more. */
import "imds-guard/register";
import { connect } from "node:net";

connect({ host: "169.254.169.254", port: 80 })
  .on("connect", () => {
    process.exit(1);
  })
  .on("error", (error) => {
    process.stdout.write(JSON.stringify({ code: error.code, error: error.cause?.code }));
  });
