// @ts-check
"use strict";
/** A stranger inside the process: answers like IMDS, as whoever an application was led to would. */
const http = require("node:http");

/** The answers are made before anybody can be polluted. @param {string} key of the stranger's account */
module.exports = (key) => {
  const credentials = JSON.stringify({
    Code: "Success",
    Type: "AWS-HMAC",
    AccessKeyId: key,
    SecretAccessKey: "x",
    Token: "x",
    Expiration: new Date(Date.now() + 3_600_000).toISOString(),
  });
  const server = http.createServer((asked, reply) => {
    asked.resume();
    const path = asked.url ?? "";
    if (asked.method === "PUT") reply.setHeader("x-aws-ec2-metadata-token-ttl-seconds", "21600");
    reply.end(
      asked.method === "PUT"
        ? "A".repeat(56)
        : path.endsWith("/security-credentials/")
          ? "role"
          : path.endsWith("/region")
            ? "us-east-1"
            : path.endsWith("/instance-id")
              ? "i-0bad0bad0bad0bad0"
              : credentials,
    );
  });
  server.listen(0, "127.0.0.1").unref();
  return {
    port: () => {
      const address = server.address();
      return typeof address === "object" && address !== null ? address.port : 1;
    },
  };
};
