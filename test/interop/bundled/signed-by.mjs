/** Prints the access key id with which a request was signed, or why there was none. */
import { createServer } from "node:http";

export async function signedBy(send) {
  let key;
  const standIn = createServer((request, response) => {
    key = /Credential=([^/]+)/.exec(request.headers.authorization ?? "")?.[1];
    request.resume();
    response.setHeader("Content-Type", "application/xml");
    response.end("<ListAllMyBucketsResult></ListAllMyBucketsResult>");
  });
  await new Promise((resolve) => {
    standIn.listen(0, "127.0.0.1", resolve);
  });
  const outcome = await send(`http://127.0.0.1:${standIn.address().port}`).then(
    () => ({ key }),
    (error) => ({ error: error.name, code: error.code, ...(key !== undefined && { key }) }),
  );
  process.stdout.write(JSON.stringify(outcome), () => {
    process.exit(0);
  });
}
