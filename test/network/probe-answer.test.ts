import { describe, expect, it } from "vitest";
import { MAX_ANSWER_BYTES, readProbeAnswer } from "../../src/network/probe-answer.js";
import type { ProbeAnswer } from "../../src/network/probe-answer.js";
import { fc } from "../support/properties.js";

const TOKEN = "AQAAALHzBzY3xGqVYhPmFz4XqY4Nq0gWqkQm0A1PzD5nq8Ow3kdZLw==";
const TTL = "X-Aws-Ec2-Metadata-Token-Ttl-Seconds: 60";
const response = (status: string, headers: readonly string[], body = ""): string =>
  [`HTTP/1.1 ${status}`, ...headers, "", body].join("\r\n");

describe("readProbeAnswer", () => {
  const sized = (body: string): string => `Content-Length: ${body.length}`;
  it.each<[string, string, ProbeAnswer]>([
    [
      "the answer of IMDSv2",
      response("200 OK", [TTL, "Content-Type: text/plain", "Connection: close", "Server: EC2ws", sized(TOKEN)], TOKEN),
      { kind: "imdsv2", status: 200, tokenLength: 56, server: "EC2ws" },
    ],
    [
      "HTTP/1.0",
      response("200 OK", [TTL, sized(TOKEN)], TOKEN).replace("1.1", "1.0"),
      { kind: "imdsv2", status: 200, tokenLength: 56 },
    ],
    [
      "a status without a phrase",
      response("200", [TTL, sized(TOKEN)], TOKEN),
      { kind: "imdsv2", status: 200, tokenLength: 56 },
    ],
    [
      "bare line feeds",
      response("200 OK", [TTL, sized(TOKEN)], TOKEN).replaceAll("\r\n", "\n"),
      { kind: "imdsv2", status: 200, tokenLength: 56 },
    ],
    [
      "a token without TTL",
      response("200 OK", [sized(TOKEN)], TOKEN),
      { kind: "imdsv2", status: 200, tokenLength: 56 },
    ],
    [
      "a short word with TTL",
      response("200 OK", [TTL, sized("x")], "x"),
      { kind: "imdsv2", status: 200, tokenLength: 1 },
    ],
    [
      "a token and a line end",
      response("200 OK", [TTL, sized(`${TOKEN}\n`)], `${TOKEN}\n`),
      { kind: "imdsv2", status: 200, tokenLength: 56 },
    ],
    [
      "a chunked token",
      response(
        "200 OK",
        [TTL, "Transfer-Encoding: chunked"],
        `10\r\n${TOKEN.slice(0, 16)}\r\n28;x=y\r\n${TOKEN.slice(16)}\r\n0\r\n\r\n`,
      ),
      { kind: "imdsv2", status: 200, tokenLength: 56 },
    ],
    [
      "an interim answer before",
      `HTTP/1.1 100 Continue\r\n\r\n${response("200 OK", [TTL, sized(TOKEN)], TOKEN)}`,
      { kind: "imdsv2", status: 200, tokenLength: 56 },
    ],
    [
      "a token under another cloud's name",
      response("200 OK", [TTL, "Metadata-Flavor: Google", sized(TOKEN)], TOKEN),
      { kind: "imdsv2", status: 200, tokenLength: 56 },
    ],
    [
      "a token repeated as the server name",
      response("200 OK", [TTL, `Server: ${TOKEN}`, sized(TOKEN)], TOKEN),
      { kind: "imdsv2", status: 200, tokenLength: 56 },
    ],
    ["a short word without TTL", response("200 OK", [sized("ok")], "ok"), { kind: "http", status: 200 }],
    [
      "JSON without TTL",
      response("200 OK", [sized('{"status":"healthy"}')], '{"status":"healthy"}'),
      { kind: "http", status: 200 },
    ],
    [
      "a page with TTL",
      response("200 OK", [TTL, sized("<html> </html>")], "<html> </html>"),
      { kind: "http", status: 200 },
    ],
    [
      "a token that is too long",
      response("200 OK", [TTL, sized("x".repeat(1025))], "x".repeat(1025)),
      { kind: "http", status: 200 },
    ],
    ["an empty token", response("200 OK", [TTL, "Content-Length: 0"]), { kind: "http", status: 200 }],
    [
      "Google",
      response("404 Not Found", ["Metadata-Flavor: Google", "Server: Metadata Server for VM"]),
      { kind: "http", status: 404, server: "Metadata Server for VM", cloud: "gcp" },
    ],
    [
      "Azure",
      response("400 Bad Request", ["Server: IMDS/150.870.65.1971"]),
      { kind: "http", status: 400, server: "IMDS/150.870.65.1971", cloud: "azure" },
    ],
    [
      "Azure of old",
      response("404 Not Found", ["Server: Microsoft-IIS/10.0"]),
      { kind: "http", status: 404, server: "Microsoft-IIS/10.0", cloud: "azure" },
    ],
    [
      "nobody known",
      response("405 Method Not Allowed", ["Server: nginx"]),
      { kind: "http", status: 405, server: "nginx" },
    ],
    ["a redirect", response("302 Found", ["Location: http://192.0.2.1/"]), { kind: "http", status: 302 }],
    [
      "a server name that is not printable",
      response("403 Forbidden", ["Server: \x1b[31m\xe9"]),
      { kind: "http", status: 403, server: "?[31m?" },
    ],
    [
      "a server name without end",
      response("403 Forbidden", [`Server: ${"s".repeat(999)}`]),
      { kind: "http", status: 403, server: "s".repeat(64) },
    ],
    ["an empty server name", response("403 Forbidden", ["Server:"]), { kind: "http", status: 403 }],
    ["SSH", "SSH-2.0-OpenSSH_9.6\r\n", { kind: "answers", detail: "sent something that is not HTTP" }],
    ["a status that is none", response("2000 OK", []), { kind: "answers", detail: "sent something that is not HTTP" }],
  ])("knows %s without waiting for the end", (_, text, expected) => {
    expect(readProbeAnswer(text, false)).toEqual(expected);
  });

  it.each<[string, string, ProbeAnswer]>([
    ["nothing", "", { kind: "answers", detail: "took the connection and sent nothing" }],
    ["half a status line", "HTT", { kind: "answers", detail: "sent an unfinished HTTP head" }],
    ["half a head", "HTTP/1.1 200 OK\r\nServer: x\r\n", { kind: "answers", detail: "sent an unfinished HTTP head" }],
    ["a body without length", response("200 OK", [TTL], TOKEN), { kind: "imdsv2", status: 200, tokenLength: 56 }],
    [
      "half a token",
      response("200 OK", [TTL, "Content-Length: 56"], TOKEN.slice(0, 20)),
      { kind: "imdsv2", status: 200, tokenLength: 20 },
    ],
    [
      "half a chunk",
      response("200 OK", [TTL, "Transfer-Encoding: chunked"], `38\r\n${TOKEN.slice(0, 20)}`),
      { kind: "imdsv2", status: 200, tokenLength: 20 },
    ],
    [
      "chunks that are none",
      response("200 OK", [TTL, "Transfer-Encoding: chunked"], "zz\r\n"),
      { kind: "http", status: 200 },
    ],
  ])("waits for more of %s, and judges it at the end", (_, text, expected) => {
    expect(readProbeAnswer(text, false)).toBeUndefined();
    expect(readProbeAnswer(text, true)).toEqual(expected);
  });

  it("looks at the first 8 KiB only", () => {
    expect(readProbeAnswer(`HTTP/1.1 200 OK\r\n${"x".repeat(MAX_ANSWER_BYTES)}`, false)).toEqual({
      kind: "answers",
      detail: "sent an unfinished HTTP head",
    });
    expect(readProbeAnswer(response("200 OK", [TTL], "x".repeat(MAX_ANSWER_BYTES)), false)).toEqual({
      kind: "http",
      status: 200,
    });
  });

  const piece = fc.oneof(
    fc.constantFrom(
      "HTTP/1.1 ",
      "200",
      "404",
      " OK",
      "\r\n",
      "\n",
      "\r\n\r\n",
      TTL,
      "Server: ",
      "Transfer-Encoding: chunked",
      "Content-Length: ",
      "10\r\n",
      "0\r\n\r\n",
      TOKEN,
      "Metadata-Flavor: Google",
      "HTTP/1.1 100 Continue\r\n\r\n",
    ),
    fc.string({ unit: "binary", maxLength: 20 }),
    fc.nat(100).map(String),
  );
  const text = fc.array(piece, { maxLength: 20 }).map((pieces) => pieces.join(""));

  it("always has an answer at the end, and never one with the token in it", () => {
    fc.assert(
      fc.property(text, fc.boolean(), (rest, plain) => {
        const answer = readProbeAnswer(plain ? rest : `HTTP/1.1 ${rest}`, true);
        expect(answer).toBeDefined();
        const { server = "" } = answer as { server?: string };
        expect(server).toMatch(/^[\x20-\x7e]{0,64}$/);
        expect(JSON.stringify({ ...answer, server: undefined })).not.toContain(TOKEN.slice(0, 8));
      }),
      { numRuns: 5000 },
    );
  });

  it("does not change its mind when more arrives", () => {
    fc.assert(
      fc.property(text, fc.nat(400), (rest, cut) => {
        const whole = `HTTP/1.1 200 OK\r\n${rest}`;
        const early = readProbeAnswer(whole.slice(0, cut), false);
        if (early !== undefined) expect(readProbeAnswer(whole, true)).toEqual(early);
      }),
      { numRuns: 5000 },
    );
  });
});
