// @ts-check
/** The vocabulary that behaviours are written in: ways to answer a request, well or badly. */
import { answerBytes, credentialFields, flawlessBytes } from "./impersonator.mjs";

/**
 * @typedef {import("./impersonator.mjs").Answer} Answer
 * @typedef {import("./impersonator.mjs").Play} Play
 * @typedef {import("./impersonator.mjs").Persona} Persona
 * @typedef {import("node:net").Socket} Socket
 */

/**
 * A well-formed answer. @param {number} status @param {string | Buffer} [body] @param {Record<string, string>}
 * [headers] @returns {Answer}
 */
export const reply =
  (status, body = "", headers = {}) =>
  (socket) => {
    socket.end(answerBytes(status, body, headers));
  };

/**
 * Status 200 with a body that may depend on who is claimed. @param {(play: Play) => string | Buffer} body @param
 * {Record<string, string>} [headers] @returns {Answer}
 */
export const say =
  (body, headers = {}) =>
  (socket, _request, play) => {
    socket.end(answerBytes(200, body(play), headers));
  };

/**
 * The credentials document with fields changed; undefined removes one. @param {Record<string, unknown>} change @returns
 * {Answer}
 */
export const credentials = (change) =>
  say(({ persona }) => JSON.stringify({ ...credentialFields(persona), ...change }));

/**
 * The credentials document as text that is spoiled afterwards. @param {(text: string, persona: Persona) => string |
 * Buffer} spoil @param {Record<string, string>} [headers] @returns {Answer}
 */
export const credentialsText = (spoil, headers = {}) =>
  say(({ persona }) => spoil(JSON.stringify(credentialFields(persona)), persona), headers);

/**
 * Bytes as they are, then the end of the connection. @param {(good: Buffer) => string | Buffer} bytes made from the
 * flawless answer @returns {Answer}
 */
export const raw = (bytes) => (socket, request, play) => {
  const made = bytes(flawlessBytes(request, play, true));
  socket.end(typeof made === "string" ? Buffer.from(made, "latin1") : made);
};

/**
 * Bytes as they are, and the connection stays open. @param {(good: Buffer) => string | Buffer} bytes @returns {Answer}
 */
export const rawOpen = (bytes) => (socket, request, play) => {
  const made = bytes(flawlessBytes(request, play, true));
  socket.write(typeof made === "string" ? Buffer.from(made, "latin1") : made);
};

/** Bytes, then a reset. @param {(good: Buffer) => string | Buffer} bytes @returns {Answer} */
export const rawThenReset = (bytes) => (socket, request, play) => {
  socket.write(bytes(flawlessBytes(request, play, true)), () => {
    setTimeout(() => socket.resetAndDestroy(), 20);
  });
};

/** Nothing, ever. @type {Answer} */
export const hang = () => {};
/** A TCP reset. @type {Answer} */
export const reset = (socket) => {
  socket.resetAndDestroy();
};
/** The end of the connection without an answer. @type {Answer} */
export const fin = (socket) => {
  socket.end();
};

/**
 * `first`, then `again` every `everyMs` for as long as the client stays. @param {string} first @param {string} again
 * @param {number} everyMs @returns {Answer}
 */
export const repeat = (first, again, everyMs) => (socket) => {
  socket.write(first, "latin1");
  const timer = setInterval(() => {
    socket.write(again, "latin1");
  }, everyMs);
  socket.once("close", () => {
    clearInterval(timer);
  });
};

/**
 * The flawless answer, `size` bytes every `everyMs`. @param {number} everyMs @param {number} [size] @returns {Answer}
 */
export const drip =
  (everyMs, size = 1) =>
  (socket, request, play) => {
    const bytes = flawlessBytes(request, play, true);
    let sent = 0;
    const timer = setInterval(() => {
      socket.write(bytes.subarray(sent, sent + size));
      sent += size;
      if (sent >= bytes.length) {
        clearInterval(timer);
        socket.end();
      }
    }, everyMs);
    socket.once("close", () => {
      clearInterval(timer);
    });
  };

/**
 * `first`, then `chunk` as fast as the client reads, without end. @param {string} first @param {string} chunk @returns
 * {Answer}
 */
export const pour = (first, chunk) => (socket) => {
  const bytes = Buffer.from(chunk, "latin1");
  // One write at a time: memory stays with whoever reads, not with us.
  const next = (/** @type {Error | null | undefined} */ error) => {
    if (!error && !socket.destroyed) socket.write(bytes, next);
  };
  socket.write(first, "latin1", next);
};

/**
 * Answers in turn: the first visit to this step gets the first, the last one stays. @param {...Answer} answers @returns
 * {Answer}
 */
export const inTurn =
  (...answers) =>
  (socket, request, play) => {
    const answer = answers[Math.min(play.visits[request.step], answers.length) - 1];
    answer?.(socket, request, play);
  };

/** What a flawless impersonator says. @type {Answer} */
export const flawless = (socket, request, play) => {
  socket.end(flawlessBytes(request, play, true));
};

/** The flawless answer after a while. @param {number} delayMs @returns {Answer} */
export const late = (delayMs) => (socket, request, play) => {
  const timer = setTimeout(() => {
    flawless(socket, request, play);
  }, delayMs);
  socket.once("close", () => {
    clearTimeout(timer);
  });
};
