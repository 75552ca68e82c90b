// @ts-check
/** Puts the clients of AWS services, which `fleet` otherwise finds beside the package, into a single executable. */

const FOUND_BESIDE = 'createRequire(join(OWN_FOLDER ?? "/", "fleet.cjs"))';
const CLIENTS = ["auto-scaling", "cloudwatch", "ec2", "iam", "sts"].map((name) => `@aws-sdk/client-${name}`);

/** @returns {import("rolldown").Plugin} */
export function clientsInside() {
  const cases = CLIENTS.map((name) => `if (name === "${name}") return require("${name}");`);
  const inside = `function clientInside(name: string): unknown { ${cases.join(" ")} throw new Error(name); }\n`;
  return {
    name: "clients-inside",
    transform(code, id) {
      if (!/[\\/]src[\\/]fleet[\\/]aws-api\.ts$/.test(id)) return undefined;
      if (!code.includes(FOUND_BESIDE)) throw new Error("src/fleet/aws-api.ts loads its clients in another way");
      // Where it is called `require` means something else.
      return { code: code.replace(FOUND_BESIDE, "clientInside") + inside, moduleType: "ts" };
    },
  };
}
