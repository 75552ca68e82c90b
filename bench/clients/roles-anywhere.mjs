// @ts-check
/**
 * The first credentials of a process, in milliseconds from its first line, and those of providers that are made later and
 * share nothing with it; its arguments: whose provider, and which profile.
 */
const LATER = 5;
const begun = performance.now();
const [, , which, profile] = process.argv;
let provider;
/** A guard has the sessions, so a provider with one of its own begins anew. */
let apart = () => ({});
if (which === "stock") ({ fromIni: provider } = await import("@aws-sdk/credential-providers"));
else {
  const ours = await import("imds-guard");
  provider = which === "ini" ? ours.fromIni : ours.fromRolesAnywhere;
  apart = () => ({ guard: ours.createGuard({ profile }) });
}
const loaded = performance.now() - begun;
const { sessionToken: first } = await provider({ profile })();
const ms = performance.now() - begun;
const later = [];
for (let turn = 0; turn < LATER; turn += 1) {
  const again = performance.now();
  const { sessionToken } = await provider({ profile, ...apart() })();
  later.push(performance.now() - again);
  if (sessionToken === first) throw new Error("a session was shared");
}
process.stdout.write(JSON.stringify({ ms, loaded, later }));
