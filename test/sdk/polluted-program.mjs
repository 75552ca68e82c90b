// @ts-check
/**
 * A program whose dependency has put properties on the prototypes that all objects share: before this package is loaded,
 * or after. Prints for each property what its guard did, as JSON.
 */
// Node itself cannot load it once descriptors are polluted; whoever uses an SDK has it.
import "node:crypto";

const order = JSON.parse(process.argv[2] ?? "{}");
const PROTOTYPES = [Object.prototype, Array.prototype, Function.prototype, String.prototype];

/** @param {Readonly<Record<string, unknown>>} properties */
function pollute(properties) {
  const { defineProperty, entries } = Object;
  for (const prototype of PROTOTYPES)
    for (const [name, value] of entries(properties)) {
      // Plain data, as a merge of JSON leaves it behind; without a prototype, or this very call would be polluted.
      const descriptor = Object.assign(Object.create(null), {
        value,
        writable: true,
        enumerable: true,
        configurable: true,
      });
      if (!Object.hasOwn(prototype, name)) defineProperty(prototype, name, descriptor);
    }
  return () => {
    for (const prototype of PROTOTYPES)
      for (const [name] of entries(properties))
        if (Reflect.has(properties, name)) Reflect.deleteProperty(prototype, name);
  };
}

if (order.before !== undefined) pollute(order.before);
const { createGuard } = await import(order.modules.guard);
const { fromNodeProviderChain } = await import(order.modules.chain);
const { fromInstanceMetadata } = await import(order.modules.instance);
const { fromGuardedRegion } = await import(order.modules.region);

/** @param {() => Promise<unknown>} act */
async function told(act) {
  try {
    return await act();
  } catch (error) {
    return { error: /** @type {{ code?: string }} */ (error).code ?? String(error) };
  }
}

async function scene() {
  const base = { log: "off", probe: "off" };
  const proving = { ...base, attestation: "required", certificates: { [order.region]: order.publicKey } };
  const guard = createGuard(proving);
  const outcome = {
    // What is said nowhere: this host proves nothing.
    undecided: await told(async () => {
      const { decision } = await createGuard({ ...base, endpoint: undefined, profile: "elsewhere" }).whereAmI();
      return [decision.kind, decision.proof, decision.target.host, decision.target.port];
    }),
    proved: await told(async () => (await guard.credentials()).accessKeyId),
    provider: await told(async () => (await fromInstanceMetadata({ guard })()).accessKeyId),
    ownGuard: await told(async () => (await fromInstanceMetadata({ guard: proving })()).accessKeyId),
    region: await told(fromGuardedRegion({ guard })),
    identity: await told(async () => (await guard.identity())?.instanceId),
    metadata: await told(() => guard.metadata("/latest/meta-data/ami-id")),
    stranger: await told(async () => {
      const expecting = { ...base, expectedAccounts: ["111122223333"] };
      return (await fromNodeProviderChain({ guard: expecting })()).accessKeyId;
    }),
  };
  await guard.close();
  return outcome;
}

const outcomes = [];
for (const properties of order.each ?? [{}]) {
  const undo = pollute(properties);
  let outcome;
  try {
    outcome = await scene();
  } finally {
    undo();
  }
  outcomes.push(outcome);
}
for (const name of Object.keys(order.before ?? {}))
  for (const prototype of PROTOTYPES) Reflect.deleteProperty(prototype, name);
process.stdout.write(JSON.stringify(outcomes));
