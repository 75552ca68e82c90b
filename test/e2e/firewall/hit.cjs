/** Asks the metadata address once; exit code 13 where that was refused. */
// As the child of a cluster it would wait for its parent otherwise.
const done = () => {
  if (process.connected) process.disconnect();
};
require("node:http")
  .get("http://169.254.169.254/", (response) => {
    response.resume();
    done();
  })
  .on("error", (error) => {
    process.exitCode = /** @type {NodeJS.ErrnoException} */ (error).code === "EACCES" ? 13 : 1;
    done();
  });
