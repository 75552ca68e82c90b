/** The access key id and region with which a request was signed. */
import { createServer } from "node:http";

export async function signedBy(send) {
  let signed;
  const standIn = createServer((request, response) => {
    signed = /Credential=([^/]+)\/\d+\/([^/]+)/
      .exec(request.headers.authorization ?? "")
      ?.slice(1)
      .join(" ");
    request.resume();
    response.setHeader("Content-Type", "application/xml");
    response.end("<ListAllMyBucketsResult><Owner><ID>x</ID></Owner></ListAllMyBucketsResult>");
  });
  await new Promise((resolve) => {
    standIn.listen(0, "127.0.0.1", resolve);
  });
  try {
    await send(`http://127.0.0.1:${standIn.address().port}`);
    return signed;
  } finally {
    standIn.closeAllConnections();
    await new Promise((resolve) => {
      standIn.close(resolve);
    });
  }
}

/** What a user forged. */
export async function ssrf() {
  const response = await fetch("http://169.254.169.254/latest/api/token", {
    method: "PUT",
    headers: { "x-aws-ec2-metadata-token-ttl-seconds": "60" },
    signal: AbortSignal.timeout(2_000),
  });
  return response.text();
}

export async function outcomeOf(doors) {
  const outcome = {};
  for (const [name, ask] of Object.entries(doors)) {
    try {
      outcome[name] = { value: await ask() };
    } catch (error) {
      outcome[name] = {
        error: error.name,
        code: error.code ?? error.cause?.code,
        message: String(error.message).slice(0, 200),
      };
    }
  }
  return outcome;
}

export async function print(doors) {
  process.stdout.write(JSON.stringify(await outcomeOf(doors)));
}
