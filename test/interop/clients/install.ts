/** Programs that use the AWS SDKs of other languages, from their own registries. */
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const PROGRAMS = fileURLToPath(new URL("./", import.meta.url));

/** A program, and how the access key is read from what it prints. */
export interface Client {
  readonly name: string;
  readonly command: readonly string[];
  readonly keyIn: RegExp;
}

/** The clients that could be had here. */
export interface Installed {
  readonly clients: readonly Client[];
  /** Of those clients that ask again and again. */
  readonly lasting: readonly Client[];
}

/** Installs them into a folder, which keeps what is there already. */
export function installClients(folder: string): Installed {
  mkdirSync(folder, { recursive: true });
  const python = installPython(folder);
  const go = installGo(folder);
  return { clients: [...python, ...go], lasting: [...python.filter(({ name }) => name === "boto3"), ...go] };
}

/** What a step of an installation said when it failed, or undefined. */
export function attempt(command: string, args: readonly string[], cwd: string): string | undefined {
  const { status, error, stderr } = spawnSync(command, args, { cwd, encoding: "utf8", timeout: 540_000 });
  return status === 0 ? undefined : (error?.message ?? stderr.trim().split("\n").at(-1) ?? `ended with ${status}`);
}

function installPython(folder: string): Client[] {
  const bin = join(folder, "venv", "bin");
  const failed = existsSync(join(bin, "aws"))
    ? undefined
    : (attempt("python3", ["-m", "venv", "venv"], folder) ??
      attempt(join(bin, "pip"), ["install", "--quiet", "--disable-pip-version-check", "boto3", "awscli"], folder));
  if (failed !== undefined) {
    console.log(`interop (clients): no AWS CLI and boto3 here: ${failed}`);
    return [];
  }
  return [
    { name: "boto3", command: [join(bin, "python"), join(PROGRAMS, "client.py")], keyIn: /"key": "(\w+)"/ },
    {
      name: "AWS CLI v1",
      command: [join(bin, "python"), "-m", "awscli", "s3", "presign", "s3://bucket/key", "--region", "eu-central-1"],
      keyIn: /X-Amz-Credential=(\w+)%2F/,
    },
  ];
}

function installGo(folder: string): Client[] {
  const place = join(folder, "go");
  mkdirSync(place, { recursive: true });
  copyFileSync(join(PROGRAMS, "client.go"), join(place, "main.go"));
  writeFileSync(join(place, "go.mod"), "module client\n\ngo 1.23\n");
  const failed = existsSync(join(place, "client"))
    ? undefined
    : (attempt("go", ["get", "github.com/aws/aws-sdk-go-v2/config@latest"], place) ??
      attempt("go", ["mod", "tidy"], place) ??
      attempt("go", ["build", "-o", "client", "."], place));
  if (failed !== undefined) {
    console.log(`interop (clients): no program with the AWS SDK for Go here: ${failed}`);
    return [];
  }
  return [{ name: "AWS SDK for Go v2", command: [join(place, "client")], keyIn: /"key":"(\w+)"/ }];
}
