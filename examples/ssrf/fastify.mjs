// @ts-check
/**
 * An image proxy: fetches the picture that a user names, through `node:http` and with redirects followed by hand.
 *
 *     node fastify.mjs
 *     curl 'http://127.0.0.1:3000/image?url=http://images.example/cat.png'
 *
 * The one line is the same as for `fetch`: whichever client a service or its dependencies use, the connection is
 * refused.
 */
import "imds-guard/register"; // the one line: first of all imports, or `node -r imds-guard/register fastify.mjs`
import http from "node:http";
import https from "node:https";
import Fastify from "fastify";

const MAX_REDIRECTS = 5;
const app = Fastify();

app.get(
  "/image",
  { schema: { querystring: { type: "object", required: ["url"], properties: { url: { type: "string" } } } } },
  async (request, reply) => {
    try {
      const { url } = /** @type {{ url: string }} */ (request.query);
      const picture = await follow(new URL(url));
      return await reply
        .code(picture.statusCode ?? 502)
        .type(picture.headers["content-type"] ?? "application/octet-stream")
        .send(picture);
    } catch (error) {
      console.error("no image:", error);
      return reply.code(502).send({ error: "This image cannot be shown." });
    }
  },
);

/** @param {URL} url @param {number} [redirects] @returns {Promise<http.IncomingMessage>} */
async function follow(url, redirects = 0) {
  const answer = await get(url);
  const { location } = answer.headers;
  if (location === undefined || redirects >= MAX_REDIRECTS) return answer;
  answer.resume();
  return follow(new URL(location, url), redirects + 1);
}

/** @param {URL} url @returns {Promise<http.IncomingMessage>} */
function get(url) {
  const client = url.protocol === "https:" ? https : http;
  return new Promise((resolve, reject) => {
    client.get(url, { timeout: 5_000, signal: AbortSignal.timeout(5_000) }, resolve).on("error", reject);
  });
}

const address = await app.listen({ port: Number(process.env["PORT"] ?? 3000), host: "127.0.0.1" });
console.log(`listening on ${address}`);
