// @ts-check
/**
 * Link previews, as chats have them: fetches the page that a user names and gives back its title.
 *
 *     node express.mjs
 *     curl 'http://127.0.0.1:3000/preview?url=https://example.com/'
 *
 * Without the first import, whoever may name a URL reads this host's instance metadata through it. No list of forbidden
 * addresses in front of `fetch` would help for long: the address has dozens of spellings, names and redirects lead
 * there, and DNS may answer differently the second time. The firewall looks where all of them end, at the connection
 * itself.
 */
import "imds-guard/register"; // the one line: first of all imports, or `node -r imds-guard/register express.mjs`
import express from "express";

const MAX_BYTES = 65_536;
const app = express();

app.get("/preview", async (request, response) => {
  try {
    const page = await fetch(String(request.query["url"]), { signal: AbortSignal.timeout(5_000) });
    const text = await beginningOf(page);
    response.json({
      url: page.url,
      status: page.status,
      title: /<title>([^<]*)/i.exec(text)?.[1] ?? text.slice(0, 80),
    });
  } catch (error) {
    // What a user is told: that it failed. Why, the log says.
    console.error("no preview:", error);
    response.status(502).json({ error: "This page cannot be shown." });
  }
});

/** @param {Response} page */
async function beginningOf({ body }) {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > MAX_BYTES) break;
  }
  return text;
}

const server = app.listen(Number(process.env["PORT"] ?? 3000), "127.0.0.1", () => {
  const address = server.address();
  console.log(`listening on http://127.0.0.1:${typeof address === "object" ? address?.port : address}`);
});
