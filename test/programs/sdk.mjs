// @ts-check
/** The AWS SDK for JavaScript in every generation of its builds, through every door that this package has. */
import { join } from "node:path";
import { ALIAS } from "./installs.mjs";
import { judgeDoors } from "./judge.mjs";

/** @typedef {import("./table.mjs").Row} Row */
/** @typedef {{ program: string, options: import("../support/machine.mjs").RunOptions }} Start */

/**
 * client-s3, client-sts, credential-providers, ec2-metadata-service: not every client has one of the same number. What
 * they depend on is what a fresh install makes of it.
 *
 * @type {readonly (readonly [string, string, string, string?])[]}
 */
const GENERATIONS = [
  ["3.300.0", "3.300.0", "3.300.0"],
  ["3.363.0", "3.363.0", "3.363.0"],
  ["3.400.0", "3.398.0", "3.398.0"],
  ["3.454.0", "3.454.0", "3.454.0"],
  ["3.501.0", "3.501.0", "3.501.0"],
  ["3.550.0", "3.549.0", "3.549.0"],
  ["3.600.0", "3.600.0", "3.600.0"],
  ["3.650.0", "3.650.0", "3.650.0"],
  ["3.700.0", "3.699.0", "3.699.0", "3.699.0"],
  ["3.750.0", "3.750.0", "3.750.0", "3.741.0"],
  ["3.821.0", "3.821.0", "3.821.0", "3.821.0"],
  ["3.901.0", "3.901.0", "3.901.0", "3.901.0"],
  ["3.936.0", "3.936.0", "3.936.0", "3.936.0"],
  ["3.1000.0", "3.1000.0", "3.1000.0", "3.1000.0"],
  ["3.1045.0", "3.1045.0", "3.1045.0", "3.1045.0"],
  ["3.1100.0", "3.1100.0", "3.1100.0", "3.1100.0"],
  ["3.1150.0", "3.1150.0", "3.1150.0", "3.1150.0"],
];
const QUICK = ["3.300.0", "3.600.0", "3.901.0"];
/** The first in which `@smithy/credential-provider-imds` has that name. */
const FIRST_OF_SMITHY = 363;
const SECOND_MAJOR = "2.1693.0";

/** What each program of the SDK asks, where that version has it. */
const ALWAYS = ["chain", "instance", "ini", "s3", "sts", "region", "auto", "ssrf"];

const DIST = "node_modules/imds-guard/dist";

/** Door -> how the application is started in its folder. @type {Readonly<Record<string, (folder: string, doors: readonly string[]) => Start>>} */
const DOORS = {
  "-r, required": (folder, args) => ({
    program: join(folder, "doors.cjs"),
    options: { execArgv: ["-r", join(folder, DIST, "register.cjs")], args },
  }),
  "-r, imported": (folder, args) => ({
    program: join(folder, "doors.mjs"),
    options: { execArgv: ["-r", join(folder, DIST, "register.cjs")], args },
  }),
  "--import": (folder, args) => ({
    program: join(folder, "doors.mjs"),
    options: { execArgv: ["--import", join(folder, DIST, "register.js")], args },
  }),
};

/** Of the doors, those that `exec` serves: credentials and a region, and no metadata. */
const OF_EXEC = ["chain", "s3", "sts", "ssrf"];

/**
 * @param {(name: string) => Promise<string>} newest the newest version that the registry serves
 * @returns {Promise<Row[]>}
 */
export async function sdkRows(newest) {
  const generations = [
    ...GENERATIONS,
    /** @type {const} */ ([
      await newest("@aws-sdk/client-s3"),
      await newest("@aws-sdk/client-sts"),
      await newest("@aws-sdk/credential-providers"),
      await newest("@aws-sdk/ec2-metadata-service"),
    ]),
  ];
  const rows = generations.flatMap(([s3, sts, providers, metadata], index) => {
    const last = index === generations.length - 1;
    const dependencies = {
      "@aws-sdk/client-s3": s3,
      "@aws-sdk/client-sts": sts,
      "@aws-sdk/credential-providers": providers,
      ...(metadata !== undefined && { "@aws-sdk/ec2-metadata-service": metadata }),
    };
    const doors = [...ALWAYS, ...(metadata === undefined ? [] : ["metadata", "metadataRegion"])];
    return versionRows(`AWS SDK ${s3}`, dependencies, doors, last || QUICK.includes(s3), Number(s3.split(".")[1]));
  });
  const s3 = await newest("@aws-sdk/client-s3");
  return [
    ...rows,
    ...preloads("AWS SDK 2", { "aws-sdk": SECOND_MAJOR }, ["v2", "v2Metadata", "ssrf"], false),
    ...preloads(
      "AWS SDK, four versions in one tree",
      {
        "@aws-sdk/client-s3": s3,
        "@aws-sdk/client-sts": "3.600.0",
        "@aws-sdk/credential-providers": "3.901.0",
        "@aws-sdk/ec2-metadata-service": "3.699.0",
        "aws-sdk": SECOND_MAJOR,
      },
      [...ALWAYS, "metadata", "v2"],
      false,
    ),
  ];
}

/**
 * @param {string} name @param {Readonly<Record<string, string>>} dependencies @param {readonly string[]} doors
 * @param {boolean} quick @param {number} minor @returns {Row[]}
 */
function versionRows(name, dependencies, doors, quick, minor) {
  const overridden =
    minor >= FIRST_OF_SMITHY ? "@smithy/credential-provider-imds" : "@aws-sdk/credential-provider-imds";
  const place = name.replace(/^AWS SDK /, "sdk-");
  return [
    ...preloads(name, dependencies, doors, quick),
    {
      group: "AWS SDK",
      name,
      form: "exec -- node",
      quick: false,
      wants: { name: place, dependencies },
      start: (folder) => ({
        program: join(folder, DIST, "cli.js"),
        options: { args: ["exec", "--", process.execPath, join(folder, "doors.mjs"), ...OF_EXEC] },
      }),
      judge: judgeDoors,
      stock: (folder) => ({ program: join(folder, "doors.mjs"), options: { args: OF_EXEC } }),
    },
    ...["imported.mjs", "imported.cjs"].map((program) => ({
      group: "AWS SDK",
      name,
      form: program.endsWith("mjs") ? "import" : "require",
      quick: quick && program.endsWith("mjs"),
      wants: { name: place, dependencies },
      start: (/** @type {string} */ folder) => ({ program: join(folder, program), options: {} }),
      judge: judgeDoors,
    })),
    {
      group: "AWS SDK",
      name,
      form: "overrides",
      quick: false,
      wants: { name: `${place}-overrides`, dependencies, overrides: { [overridden]: ALIAS } },
      start: (folder) => ({ program: join(folder, "doors.mjs"), options: { args: ["chain", "instance", "ini"] } }),
      judge: judgeDoors,
    },
  ];
}

/**
 * @param {string} name @param {Readonly<Record<string, string>>} dependencies @param {readonly string[]} doors
 * @param {boolean} quick @returns {Row[]}
 */
function preloads(name, dependencies, doors, quick) {
  return Object.entries(DOORS).map(([form, start]) => ({
    group: "AWS SDK",
    name,
    form,
    quick: quick && form === "-r, imported",
    wants: { name: name.replace(/^AWS SDK /, "sdk-"), dependencies },
    start: (folder) => start(folder, doors),
    judge: judgeDoors,
    stock: (folder) => ({ program: join(folder, "doors.mjs"), options: { args: doors } }),
  }));
}
