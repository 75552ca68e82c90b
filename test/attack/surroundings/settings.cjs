// @ts-check
"use strict";
/** Settings of ours in all their spellings on `Object.prototype`, each chosen to open the guard. */

/** @type {Record<string, string>} */
const WORDS = {
  mode: "allow",
  attestation: "off",
  onUnknownAccount: "allow",
  verifyWithSts: "off",
  emulator: "on",
  endpoint: "http://127.0.0.1:1",
  firewall: "off",
  firewallAnswers: "credentials",
  firewallAllow: "gcp",
  expectedAccounts: "666666666666",
  expectedRoles: "stranger",
  expectedRegions: "us-east-1",
  profile: "stranger",
  timeout: "60000",
  maxRetries: "9",
};
/** @type {Record<string, unknown>} */
const PUT = {
  ...WORDS,
  // Lists and numbers as code gives them.
  expectedAccounts: ["666666666666"],
  expectedRoles: ["stranger"],
  expectedRegions: ["us-east-1"],
  firewallAllow: ["gcp"],
  timeout: 60_000,
  maxRetries: 9,
  guard: { mode: "allow", attestation: "off" },
  onEvent: () => {},
};
for (const [name, word] of Object.entries(WORDS)) {
  const snake = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  PUT[`imds_guard_${snake}`] = word;
  PUT[`IMDS_GUARD_${snake.toUpperCase()}`] = word;
}
for (const [name, value] of Object.entries(PUT)) /** @type {any} */ (Object.prototype)[name] = value;
