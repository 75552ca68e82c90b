// @ts-check
/**
 * What moto lacks, in front of it: the defaults of an account in a region (GetInstanceMetadataDefaults and
 * ModifyInstanceMetadataDefaults), and refusals. Everything else passes through. Moto differs from EC2 in more: its
 * ModifyInstanceMetadataOptions resets what is not named and takes DryRun for a change, its CreateLaunchTemplateVersion
 * knows no SourceVersion, and SEARCH finds nothing in its GetMetricData. Nothing of that is used, or it is named.
 */
import { createServer, request } from "node:http";
import { once } from "node:events";

/**
 * @param {number} motoPort
 * @param {(asked: { action: string, region: string }) => string | undefined} refuse the code of AWS, for what is refused
 */
export async function startMotoStandIn(motoPort, refuse) {
  /** @type {Map<string, Map<string, string>>} */
  const defaults = new Map();
  const server = createServer((incoming, outgoing) => {
    /** @type {Buffer[]} */
    const chunks = [];
    incoming.on("data", (chunk) => chunks.push(chunk));
    incoming.on("end", () => {
      const body = Buffer.concat(chunks);
      const form = new URLSearchParams(body.toString("utf8"));
      const action =
        form.get("Action") ??
        String(incoming.headers["x-amz-target"] ?? "")
          .split(".")
          .at(-1) ??
        "";
      const [, region = ""] = /Credential=[^/]+\/\d+\/([^/]+)\//.exec(incoming.headers.authorization ?? "") ?? [];
      const code = refuse({ action, region });
      if (code !== undefined) {
        outgoing.statusCode = 403;
        return void outgoing.end(
          `<Response><Errors><Error><Code>${code}</Code><Message>refused</Message></Error></Errors><RequestID>1</RequestID></Response>`,
        );
      }
      const mine = defaults.get(region) ?? new Map();
      defaults.set(region, mine);
      if (action === "ModifyInstanceMetadataDefaults") {
        for (const name of ["HttpTokens", "HttpEndpoint", "HttpPutResponseHopLimit", "InstanceMetadataTags"]) {
          const value = form.get(name);
          if (value === "no-preference" || value === "-1") mine.delete(name);
          else if (value !== null) mine.set(name, value);
        }
        return void outgoing.end(answer(action, "<return>true</return>"));
      }
      if (action === "GetInstanceMetadataDefaults") {
        const members = [...mine].map(([name, value]) => {
          const member = name.slice(0, 1).toLowerCase() + name.slice(1);
          return `<${member}>${value}</${member}>`;
        });
        return void outgoing.end(answer(action, `<accountLevel>${members.join("")}</accountLevel>`));
      }
      const passed = request(
        { host: "127.0.0.1", port: motoPort, method: incoming.method, path: incoming.url, headers: incoming.headers },
        (response) => {
          outgoing.writeHead(response.statusCode ?? 500, response.headers);
          response.pipe(outgoing);
        },
      );
      passed.on("error", () => outgoing.destroy());
      passed.end(body);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${port}`,
    defaults,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** @param {string} action @param {string} content */
function answer(action, content) {
  return `<${action}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>1</requestId>${content}</${action}Response>`;
}
