/** What SECURITY.md promises where data is on the prototypes that all objects share, against the package as it is built. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, test } from "vitest";
import { accessKeyIdFor } from "../support/access-keys.mjs";
import { canUnshare } from "../support/machine.mjs";

const able = canUnshare();
if (!able.ok) console.log(`promises: the built package is not polluted, no machines can be made here: ${able.reason}`);

const DIST = resolve(import.meta.dirname, "../../dist");
const OURS = "111122223333";
const folder = mkdtempSync(join(tmpdir(), "imds-guard-pollution-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Settings of ours, and what the SDK and Node.js read of objects: nothing here ends a program that does without us. */
const NAMES = [
  ..."mode attestation guard endpoint profile expectedAccounts onUnknownAccount firewall firewallAllow log probe stsCa".split(
    " ",
  ),
  ..."IMDS_GUARD_MODE IMDS_GUARD_ENDPOINT AWS_PROFILE AWS_EC2_METADATA_SERVICE_ENDPOINT imds_guard_mode".split(" "),
  ..."credentials clientConfig parentClientConfig callerClientConfig region forceRefresh ignoreCache".split(" "),
  ..."agent lookup createConnection family localAddress socketPath rejectUnauthorized ca cert servername".split(" "),
  ..."host hostname port method headers setHost defaultPort insecureHTTPParser fd hints keepAlive onread".split(" "),
  ..."execArgv argv env eval shell cwd uid name code message cause errors opened located living stage x".split(" "),
];
/** What takes part in a property, a URL, a file that is opened or a loop that is left: Node.js lives on with it where its modules were loaded before. */
const WORDS = ["get", "set", "value", "writable", "enumerable", "configurable", "path", "auth", "signal", "return"];

/** What lists, matches and those who take them apart have: Node.js cannot load a module with it. */
const ELEMENTS = ["0", "1", "2", "3", "index", "input", "groups"];

const POLLUTE = `
  const pollute = (names, value) => { for (const name of names) Object.prototype[name] = value; };
  const clean = (names) => { for (const name of names) delete Object.prototype[name]; };
`;
/** Asks for keys of a stranger in the environment, and for those of an endpoint on loopback; prints what became of it. */
const ASK = `
  async function ask({ fromNodeProviderChain }, port) {
    const own = (options) => Object.assign(Object.create(null), { log: "off", probe: "off" }, options);
    const told = (promise) => promise.then((found) => found.accessKeyId, (error) => error.code ?? error.message);
    process.env.AWS_ACCESS_KEY_ID = "${accessKeyIdFor("999988887777")}";
    process.env.AWS_SECRET_ACCESS_KEY = "secret";
    const stranger = await told(fromNodeProviderChain(own({ guard: own({ expectedAccounts: ["${OURS}"] }) }))());
    delete process.env.AWS_ACCESS_KEY_ID;
    const endpoint = "http://127.0.0.1:" + port;
    const instance = await told(fromNodeProviderChain(own({ guard: own({ endpoint }) }))());
    const nowhere = await told(fromNodeProviderChain(own({ guard: own({}) }))());
    return [stranger, instance, nowhere].join(" ");
  }
  const http = require("node:http");
  const text = JSON.stringify({ Code: "Success", Type: "AWS-HMAC", AccessKeyId: "${accessKeyIdFor(OURS)}",
    SecretAccessKey: "x", Token: "x", Expiration: new Date(Date.now() + 3600000).toISOString() });
  const answer = (asked, reply) => {
    asked.resume();
    reply.end(asked.method === "PUT" ? "A".repeat(56) : asked.url.endsWith("security-credentials/") ? "role" : text);
  };
  const listening = new Promise((resolve) => {
    const server = http.createServer(answer).listen(0, "127.0.0.1", () => resolve(server.address().port));
  });
`;
const RIGHT = `ERR_IMDS_ACCOUNT_UNEXPECTED ${accessKeyIdFor(OURS)} ERR_IMDS_HOST_UNKNOWN`;

async function run(
  program: string,
  options: readonly string[] = [],
  variables: Readonly<Record<string, string>> = {},
): Promise<string> {
  const path = join(folder, `program-${Math.random()}.cjs`);
  writeFileSync(path, `${POLLUTE}${program}`);
  const node = [process.execPath, ...options, path].map((word) => `'${word}'`).join(" ");
  const { stdout } = await promisify(execFile)(
    "unshare",
    ["-Urnm", "sh", "-c", `ip link set lo up && mount -t tmpfs none /sys && exec ${node}`],
    {
      env: {
        PATH: process.env["PATH"],
        HOME: folder,
        AWS_CONFIG_FILE: "/nonexistent/config",
        AWS_SHARED_CREDENTIALS_FILE: "/nonexistent/none",
        IMDS_GUARD_LOG: "off",
        IMDS_GUARD_PROBE: "off",
        ...variables,
      },
    },
  );
  return stdout.trim();
}

const load = {
  require: `Promise.resolve(require(${JSON.stringify(join(DIST, "index.cjs"))}))`,
  import: `import(${JSON.stringify(join(DIST, "index.js"))})`,
  "import of the form for bundlers": `import(${JSON.stringify(join(DIST, "esm/index.js"))})`,
};

describe.skipIf(!able.ok)("P23: what all objects inherit is no setting", () => {
  test.each(Object.entries(load))("put there before the package was loaded, by %s", async (_, loading) => {
    const program = (names: readonly string[], value: string): string => `${ASK}
      require("node:fs/promises"); require("node:crypto"); require("node:tls");
      listening.then(async (port) => {
        pollute(${JSON.stringify(names)}, ${value});
        const found = await ${loading};
        const out = await ask(found, port);
        clean(${JSON.stringify(names)});
        console.log(out);
        process.exit();
      });`;
    expect(await run(program(NAMES, `"x"`))).toBe(RIGHT);
    expect(await run(program(NAMES, "() => undefined"))).toBe(RIGHT);
  });

  test.each(Object.entries(load))("put there after the package was loaded, by %s", async (_, loading) => {
    const out = await run(`${ASK}
      Promise.all([listening, ${loading}]).then(async ([port, found]) => {
        const all = [];
        for (const names of ${JSON.stringify([NAMES, ELEMENTS, ...WORDS.slice(0, 6).map((word) => [word])])})
          for (const value of ["x", () => undefined]) {
            pollute(names, value);
            all.push(await ask(found, port));
            clean(names);
          }
        console.log([...new Set(all)].join("\\n"));
        process.exit();
      });`);
    expect(out).toBe(RIGHT);
  });

  // With a `return` that is none, loops of the SDK fail, too; what it says then is no code of ours.
  test.each(WORDS.filter((word) => word !== "return"))(
    "%s, where the program loads the SDK's links later",
    async (word) => {
      const out = await run(`${ASK}
      const found = require(${JSON.stringify(join(DIST, "index.cjs"))});
      listening.then(async (port) => {
        pollute([${JSON.stringify(word)}], "x");
        process.env.AWS_ACCESS_KEY_ID = "${accessKeyIdFor("999988887777")}";
        process.env.AWS_SECRET_ACCESS_KEY = "secret";
        const guard = Object.assign(Object.create(null), { expectedAccounts: ["${OURS}"], log: "off" });
        const out = await found.fromNodeProviderChain(Object.assign(Object.create(null), { guard }))()
          .then(() => "handed out", ({ code, message }) => code ?? message);
        clean([${JSON.stringify(word)}]);
        console.log(out);
        process.exit();
      });`);
      expect(out).toBe("ERR_IMDS_ACCOUNT_UNEXPECTED");
    },
  );

  test("settings that cannot be honoured are said to be so", async () => {
    const out = await run(
      `const found = require(${JSON.stringify(join(DIST, "index.cjs"))});
      pollute(["endpoint", "claimed", "responder", "evidence", "advice"], "x");
      found.fromNodeProviderChain(Object.create(null))().then(() => "handed out", ({ code }) => code)
        .then((out) => { console.log(out); process.exit(); });`,
      [],
      { IMDS_GUARD_MDOE: "deny" },
    );
    expect(out).toBe("ERR_IMDS_GUARD_SETTING");
  });

  const VALUES = [`"x"`, "() => undefined"] as const;
  test.each([...WORDS, "opened", "x"].flatMap((word) => VALUES.map((value) => [word, value] as const)))(
    "%s = %s, before the preload",
    async (word, value) => {
      const stain = join(folder, `stain-${word}-${VALUES.indexOf(value)}.cjs`);
      writeFileSync(stain, `${POLLUTE} pollute([${JSON.stringify(word)}], ${value});`);
      const program = `
      const net = require("node:net");
      const { spawnSync } = require("node:child_process");
      const { Worker } = require("node:worker_threads");
      const connect = "require('node:net').connect(80, '169.254.169.254').on('error', (e) => console.log(e.code))";
      net.connect(80, "169.254.169.254").on("error", ({ code }) => {
        console.log(code);
        new Worker(connect, { eval: true }).on("exit", () => {
          const env = Object.assign(Object.create(null), { PATH: process.env.PATH });
          const options = Object.assign(Object.create(null), { encoding: "utf8", env });
          console.log(spawnSync(process.execPath, ["-e", connect], options).stdout.trim());
        });
      });`;
      // What Node.js itself does not survive is no matter of ours.
      const stock = await run(program, ["-r", stain]).catch(() => "dies");
      const guarded = await run(program, ["-r", stain, "-r", join(DIST, "register.cjs")]).catch(() => "dies");
      if (stock !== "dies") expect(guarded).toBe(stock.replaceAll("ENETUNREACH", "EACCES"));
      else expect(["dies", "EACCES\nEACCES\nEACCES"]).toContain(guarded);
    },
  );
});

/** Keys of a stranger, in a profile that has no settings and in one that has; where a process gives them, too. */
const KEYS = `aws_access_key_id = ${accessKeyIdFor("999988887777")}\naws_secret_access_key = secret\n`;
const EXPECTS = `imds_guard_expected_accounts = ${OURS}\n`;
const PROCESS = `credential_process = echo '{"Version":1,"AccessKeyId":"${accessKeyIdFor("999988887777")}","SecretAccessKey":"x"}'\n`;
const FILES = {
  plain: "[default]\nregion = eu-central-1\n",
  open: `[default]\nregion = eu-central-1\n[profile loose]\n${KEYS}[profile process]\n${PROCESS}`,
  loose: `[default]\n${EXPECTS}[profile loose]\n${KEYS}[profile process]\n${PROCESS}`,
  strict: `[default]\nregion = eu-central-1\n[profile strict]\n${EXPECTS}${KEYS}[profile strict-process]\n${EXPECTS}${PROCESS}`,
  stranger: `[default]\n${KEYS}[loose]\n${KEYS}[profile loose]\n${KEYS}`,
} as const;
const fileOf = (name: keyof typeof FILES): string => {
  const path = join(folder, `config-${name}`);
  writeFileSync(path, FILES[name]);
  return path;
};
const DOORS = {
  "our chain": `require(${JSON.stringify(join(DIST, "index.cjs"))}).fromNodeProviderChain`,
  "our fromIni": `require(${JSON.stringify(join(DIST, "index.cjs"))}).fromIni`,
  "the SDK's chain under the preload": `require("@aws-sdk/credential-providers").fromNodeProviderChain`,
  "the SDK's fromIni under the preload": `require("@aws-sdk/credential-providers").fromIni`,
};
const preloadOf = (door: string): string[] => (door.includes("preload") ? ["-r", join(DIST, "register.cjs")] : []);
/** Beside the dependencies of this package. */
const RESOLVE = `module.paths.push(${JSON.stringify(resolve(DIST, "../node_modules"))});`;

describe.skipIf(!able.ok)("P20, P23: keys are those of the profile and files whose settings hold", () => {
  const polluted = {
    profile: "loose",
    "profile of a process": "process",
    filepath: "stranger",
    configFilepath: "stranger",
    AWS_PROFILE: "loose",
    AWS_CONFIG_FILE: "stranger",
    AWS_SHARED_CREDENTIALS_FILE: "stranger",
    callerClientConfig: { profile: "loose" },
    parentClientConfig: { profile: "loose" },
    webIdentityTokenFile: "stranger",
    ssoStartUrl: "https://stranger.example",
    "aws_access_key_id aws_secret_access_key": accessKeyIdFor("999988887777"),
    credential_process: PROCESS.slice("credential_process = ".length).trim(),
    "role_arn web_identity_token_file": "stranger",
  };
  for (const [door, provider] of Object.entries(DOORS)) {
    // Under the preload the SDK itself reads what the environment inherits; its keys are held against what is expected.
    test.each(Object.entries(polluted))(`%s on Object.prototype, by ${door}`, async (name, given) => {
      const value = given === "stranger" ? fileOf("stranger") : given;
      const out = await run(
        `${RESOLVE}
        const provider = ${provider};
        pollute(${JSON.stringify(name.startsWith("profile") ? ["profile"] : name.split(" "))}, ${JSON.stringify(value)});
        provider(Object.create(null))().then(({ accessKeyId }) => "handed out " + accessKeyId, () => "refused")
          .then((out) => { console.log(out); process.exit(); });`,
        preloadOf(door),
        { AWS_CONFIG_FILE: fileOf(door.startsWith("our") ? "open" : "loose") },
      );
      expect(out).toBe("refused");
    });

    test.each(["strict", "strict-process"])(
      `AWS_PROFILE becomes %s after the settings were read, by ${door}`,
      async (name) => {
        const out = await run(
          `${RESOLVE}
        const provider = ${provider};
        const told = (promise) => promise.then(({ accessKeyId }) => "handed out " + accessKeyId, ({ code }) => code);
        const { createGuard } = require(${JSON.stringify(join(DIST, "index.cjs"))});
        const guard = createGuard();
        const make = () => provider(${door.startsWith("our") ? "{ guard }" : "{}"});
        guard.whereAmI().then(() => told(make()())).then(() => {
          process.env.AWS_PROFILE = ${JSON.stringify(name)};
          return told(make()());
        }).then((out) => { console.log(out); process.exit(); });`,
          preloadOf(door),
          { AWS_CONFIG_FILE: fileOf("strict") },
        );
        expect(out).toBe("ERR_IMDS_ACCOUNT_UNEXPECTED");
      },
    );

    test(`AWS_PROFILE changes while a provider is asked, by ${door}`, async () => {
      const out = await run(
        `${RESOLVE}
        const provider = ${provider};
        const { createGuard } = require(${JSON.stringify(join(DIST, "index.cjs"))});
        const guard = createGuard();
        const found = new Set();
        const ask = (turns) => {
          delete process.env.AWS_PROFILE;
          const asked = provider(${door.startsWith("our") ? "{ guard: createGuard() }" : "{}"})().then(
            ({ accessKeyId }) => found.add("handed out " + accessKeyId), () => found.add("refused"));
          let promise = Promise.resolve();
          for (let turn = 0; turn < turns; turn += 1) promise = promise.then(() => undefined);
          promise.then(() => { process.env.AWS_PROFILE = "strict"; });
          return asked;
        };
        (async () => {
          for (let turns = 0; turns < 120; turns += 1) await ask(turns);
          console.log([...found].join());
          process.exit();
        })();`,
        preloadOf(door),
        { AWS_CONFIG_FILE: fileOf("strict") },
      );
      expect(out).toBe("refused");
    });
  }
});
