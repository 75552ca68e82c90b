// @ts-check
/**
 * The host name of an endpoint does not resolve at first, and stops resolving again and again after it was resolved
 * once.
 */
import { createSocket } from "node:dgram";
import { decode, encode } from "dns-packet";
import { openStage, print } from "../stage.mjs";

const cycles = Number(process.argv[2]);
const NAME = "imds.internal.test";
const named = { mode: "allow", endpoint: `http://${NAME}:8080` };
const address = { host: "127.0.0.1", port: 8080 };

/** The only name server of this machine; whom it does not know, it does not answer. */
const server = createSocket("udp4");
let known = false;
let queries = 0;
server.on("message", (message, { port, address: asker }) => {
  const { id, questions = [] } = decode(message);
  queries += 1;
  if (!known) return;
  const answers = questions
    .filter(({ type }) => type === "A")
    .map(({ name }) => ({ name, type: /** @type {const} */ ("A"), ttl: 1, data: "127.0.0.1" }));
  server.send(encode({ type: "response", id, flags: 0x8180, questions, answers }), port, asker);
});
await new Promise((resolve) => {
  server.bind(53, "127.0.0.1", () => {
    resolve(undefined);
  });
});

const stage = await openStage({ guard: named, address });
const early = await stage.ask();
known = true;
await stage.begin();
const asked = queries;
for (let cycle = 0; cycle < cycles; cycle += 1) {
  known = cycle % 2 === 1;
  stage.due();
  await stage.ask(10);
  await stage.settle();
  await stage.ask(10, { forceRefresh: true });
  await stage.settle();
}
const missed = [
  ...(early ? ["a name that did not resolve was reached"] : []),
  ...(queries > asked
    ? [`the name was asked for again ${queries - asked} times, although what it resolved to is pinned`]
    : []),
];
server.close();
print(
  await stage.report({
    atMostPerRefresh: 4,
    missed,
    note: "no answer before the first call and at every other renewal; resolved once and pinned",
  }),
);
