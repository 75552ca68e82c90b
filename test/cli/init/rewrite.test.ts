/** What init makes of source files as people lay them out. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { rewrite } from "../../../src/cli/init/rewrite.js";

const lines = (...each: string[]): string => `${each.join("\n")}\n`;

describe("init rewrites", () => {
  test.each<[string, string, string, string]>([
    [
      "an import of a provider",
      "a.ts",
      lines(
        `import { fromNodeProviderChain } from '@aws-sdk/credential-providers'`,
        `export const c = fromNodeProviderChain()`,
      ),
      lines(`import { fromNodeProviderChain } from 'imds-guard'`, `export const c = fromNodeProviderChain()`),
    ],
    [
      "an import of providers of which one has no namesake",
      "a.mjs",
      lines(`import { fromIni as ini, fromSSO } from "@aws-sdk/credential-providers";`),
      lines(`import { fromSSO } from "@aws-sdk/credential-providers";`, `import { fromIni as ini } from "imds-guard";`),
    ],
    [
      "require",
      "a.cjs",
      lines(`const { fromInstanceMetadata } = require("@smithy/credential-provider-imds");`),
      lines(`const { fromInstanceMetadata } = require("imds-guard");`),
    ],
    [
      "a client without anything",
      "a.ts",
      lines(`import { S3Client } from "@aws-sdk/client-s3"; // objects`, `const s3 = new S3Client({});`),
      lines(
        `import { S3Client } from "@aws-sdk/client-s3"; // objects`,
        `import { createGuard } from "imds-guard";`,
        ``,
        `const guard = createGuard();`,
        `const s3 = new S3Client({ ...guard.clientConfig() });`,
      ),
    ],
    [
      "a client with a region, in a class with decorators, where the name is taken",
      "a.ts",
      lines(
        `import { DynamoDB } from '@aws-sdk/client-dynamodb';`,
        `@Injectable()`,
        `export class A { constructor(private guard: Guard) {}`,
        `  readonly db = new DynamoDB({`,
        `    region: 'eu-central-1',`,
        `  });`,
        `}`,
      ),
      lines(
        `import { DynamoDB } from '@aws-sdk/client-dynamodb';`,
        `import { createGuard } from 'imds-guard';`,
        ``,
        `const imdsGuard = createGuard();`,
        `@Injectable()`,
        `export class A { constructor(private guard: Guard) {}`,
        `  readonly db = new DynamoDB({`,
        `    ...imdsGuard.clientConfig(),`,
        `    region: 'eu-central-1',`,
        `  });`,
        `}`,
      ),
    ],
    [
      "a client of a CommonJS package that is imported as a whole by its default",
      "a.mjs",
      lines(`import aws from '@aws-sdk/client-ses';`, `export const ses = new aws.SES({ apiVersion: '2010-12-01' });`),
      lines(
        `import aws from '@aws-sdk/client-ses';`,
        `import { createGuard } from 'imds-guard';`,
        ``,
        `const guard = createGuard();`,
        `export const ses = new aws.SES({ ...guard.clientConfig(), apiVersion: '2010-12-01' });`,
      ),
    ],
    [
      "a CommonJS client that is made before the last require",
      "a.js",
      lines(
        `"use strict";`,
        `const sqs = require("@aws-sdk/client-sqs");`,
        `const c = new sqs.SQSClient;`,
        `const x = require("x");`,
      ),
      lines(
        `"use strict";`,
        `const sqs = require("@aws-sdk/client-sqs");`,
        `const { createGuard } = require("imds-guard");`,
        ``,
        `const guard = createGuard();`,
        `const c = new sqs.SQSClient({ ...guard.clientConfig() });`,
        `const x = require("x");`,
      ),
    ],
    [
      "imports that are waited for, caught, assigned, chained or asked at once",
      "a.ts",
      lines(
        `const { fromIni } = await import('@aws-sdk/credential-providers').catch(() => { throw new Error('install it'); });`,
        `let fromNodeProviderChain;`,
        `;({ fromNodeProviderChain } = await import('@aws-sdk/credential-providers'))`,
        `const c = () => import('@aws-sdk/credential-providers').then(({ fromIni: ini }) => ini());`,
        `const d = (await import("@aws-sdk/credential-providers")).fromTemporaryCredentials({});`,
        `const { fromEnv } = await import('@aws-sdk/credential-providers');`,
        `export { fromIni } from "@aws-sdk/credential-providers";`,
      ),
      lines(
        `const { fromIni } = await import('imds-guard').catch(() => { throw new Error('install it'); });`,
        `let fromNodeProviderChain;`,
        `;({ fromNodeProviderChain } = await import('imds-guard'))`,
        `const c = () => import('imds-guard').then(({ fromIni: ini }) => ini());`,
        `const d = (await import("imds-guard")).fromTemporaryCredentials({});`,
        `const { fromEnv } = await import('@aws-sdk/credential-providers');`,
        `export { fromIni } from "imds-guard";`,
      ),
    ],
    [
      "a module that loads its client when it is needed",
      "a.mjs",
      lines(
        `const { S3Client } = await import("@aws-sdk/client-s3").catch(() => process.exit(1));`,
        `const s3 = new S3Client();`,
      ),
      lines(
        `const { S3Client } = await import("@aws-sdk/client-s3").catch(() => process.exit(1));`,
        `import { createGuard } from "imds-guard";`,
        ``,
        `const guard = createGuard();`,
        `const s3 = new S3Client({ ...guard.clientConfig() });`,
      ),
    ],
  ])("%s", (_, name, before, after) => {
    expect(rewrite(name, before).text).toBe(after);
    // Once is enough.
    expect(rewrite(name, after).text).toBe(after);
  });

  test.each([
    ["a client with credentials", `import { S3Client } from "@aws-sdk/client-s3"; new S3Client({ credentials });`],
    [
      "a configuration with credentials",
      `import { S3Client } from "@aws-sdk/client-s3"; const c: C = { credentials }; new S3Client(c);`,
    ],
    ["a command", `import { PutObjectCommand } from "@aws-sdk/client-s3"; new PutObjectCommand({});`],
    ["a type", `import type { S3Client } from "@aws-sdk/client-s3"; declare const s: S3Client;`],
    ["a class of somebody else", `import { S3Client } from "./mine"; new S3Client({});`],
    ["what is rewritten already", `import { fromIni } from "imds-guard"; fromIni();`],
  ])("nothing of %s", (_, text) => {
    expect(rewrite("a.ts", text)).toEqual({ text, changes: [], byHand: [] });
  });

  test.each([
    ["a configuration from elsewhere", `import { S3Client } from "@aws-sdk/client-s3";\nnew S3Client(config);`, 2],
    ["a configuration that is spread in", `import { S3Client } from "@aws-sdk/client-s3";\nnew S3Client({ ...x });`, 2],
    ["the whole of the providers", `import * as p from "@aws-sdk/credential-providers";`, 1],
    ["providers from somewhere else", `const p = given ?? (await import("@aws-sdk/credential-providers"));`, 1],
    ["several imports at once", `const [a] = await Promise.all([import("@aws-sdk/credential-providers")]);`, 1],
    ["some of the providers", `const { fromIni, fromSSO } = require("@aws-sdk/credential-providers");`, 1],
    ["all of the providers, handed on", `export * from "@aws-sdk/credential-providers";`, 1],
    ["a mock", `vi.mock("@aws-sdk/credential-providers", () => ({}));`, 1],
    ["the SDK's second major version", `import AWS from "aws-sdk";`, 1],
  ])("and leaves to a person %s", (_, text, line) => {
    const { text: same, changes, byHand } = rewrite("a.ts", text);
    expect({ same, changes }).toEqual({ same: text, changes: [] });
    expect(byHand.map((each) => each.line)).toEqual([line]);
  });

  test.each([
    `import { defaultProvider } from "@aws-sdk/credential-provider-node";`,
    `const { defaultProvider } = require("@aws-sdk/credential-provider-node");`,
    `export { defaultProvider } from "@aws-sdk/credential-provider-node";`,
  ])("and names the provider that has no namesake: %s", (text) => {
    expect(rewrite("a.ts", text).byHand).toEqual([
      { line: 1, says: "defaultProvider can end at IMDS: take fromNodeProviderChain of imds-guard" },
    ]);
  });

  test("keeps all other text, and stays readable, whatever stands around", () => {
    const piece = fc.constantFrom(
      `import { S3Client } from "@aws-sdk/client-s3";`,
      `import { fromIni, fromEnv } from "@aws-sdk/credential-providers";`,
      `const a = new S3Client({ region: "x" });`,
      `const b = () => new S3Client();`,
      `// new S3Client()`,
      `const t = "new S3Client({})";`,
      `for (const q of [1]) { console.log(q); }`,
    );
    fc.assert(
      fc.property(fc.uniqueArray(piece, { maxLength: 7 }), (pieces) => {
        const { text } = rewrite("a.ts", pieces.join("\n"));
        expect(rewrite("a.ts", text).text).toBe(text);
        for (const each of pieces.filter((one) => !one.includes("import") && !/^const [ab]/.test(one)))
          expect(text).toContain(each);
      }),
    );
  });
});
