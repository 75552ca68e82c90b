// @ts-check
/** The first credentials of a process, in milliseconds from its first line; its arguments: whose provider, and which profile. */
const begun = performance.now();
const [, , which, profile] = process.argv;
let provider;
if (which === "stock") ({ fromIni: provider } = await import("@aws-sdk/credential-providers"));
else if (which === "ini") ({ fromIni: provider } = await import("imds-guard"));
else ({ fromRolesAnywhere: provider } = await import("imds-guard"));
const loaded = performance.now() - begun;
await provider({ profile })();
process.stdout.write(JSON.stringify({ ms: performance.now() - begun, loaded }));
