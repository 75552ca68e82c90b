/** What a refused connection becomes: an error that explains itself, an event, and the natural failure of each API. */
import { constants } from "node:os";
import { dirname, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { ImdsRefusedError } from "../errors.js";
import type { EventDetails } from "../events/catalogue.js";
import type { MetadataService } from "./classify.js";

const { defineProperty } = Object;
const { apply } = Reflect;
const { captureStackTrace } = Error;

/** The system's number for `EACCES`, negative as libuv hands it out. */
export const EACCES = process.platform === "win32" ? -4092 : -constants.errno.EACCES;

/** Frames of a caller's stack that are kept. */
export const MAX_FRAMES = 16;
/** Frames that are captured before those of Node itself are left out. */
const CAPTURED_FRAMES = 64;

/** One attempt to reach a metadata service. */
export interface Attempt {
  readonly literal: string;
  readonly port: number | undefined;
  readonly service: MetadataService;
  /** How it was tried: `tcp`, `udp`, `dns-server`, `http` (a request that would have gone through a proxy). */
  readonly way: "tcp" | "udp" | "dns-server" | "http";
  /** The stack of whoever asked for it, as V8 writes it. */
  readonly stack: string | undefined;
}

/** A stack that was captured and is not written out yet: that costs a hundred times as much. */
export interface CapturedStack {
  readonly stack?: string;
}

/** Captures the stack at this point, without the frames above `below`. */
export function captureHere(below: (...args: never[]) => unknown): CapturedStack {
  const captured: CapturedStack = {};
  const { stackTraceLimit } = Error;
  try {
    Error.stackTraceLimit = CAPTURED_FRAMES;
    apply(captureStackTrace, Error, [captured, below]);
    Error.stackTraceLimit = stackTraceLimit;
  } catch {
    // A program may have frozen Error: the refusal stands without a stack.
  }
  return captured;
}

/** Writes a stack out. */
export function writtenOut(captured: CapturedStack): string | undefined {
  try {
    const { stack } = captured;
    return typeof stack === "string" ? stack : undefined;
  } catch {
    // What a program's own prepareStackTrace throws.
    return undefined;
  }
}

/** The stack at this point, as text. */
export function stackHere(below: (...args: never[]) => unknown): string | undefined {
  return writtenOut(captureHere(below));
}

const SERVICE_NAMES: Readonly<Record<MetadataService, string>> = {
  imds: "the instance metadata service",
  dns: "Amazon's DNS service",
  ntp: "Amazon's time service",
  ecs: "the ECS credential service",
  eks: "the EKS credential service",
  openstack: "OpenStack's metadata service",
  reserved: "Amazon's reserved addresses",
};

const ADVICE: Readonly<Partial<Record<MetadataService, string>>> = {
  imds:
    "Only the guard of imds-guard talks to IMDS in this process. If a user named the address, this was an attack (SSRF): find the caller in the stack. " +
    "On another cloud, allow its own metadata with IMDS_GUARD_FIREWALL_ALLOW=gcp, azure or openstack.",
};

/** The error that stands behind a refusal, as the `cause` of what the caller sees. */
export function blockedError({ literal, port, service, way }: Attempt): ImdsRefusedError {
  const where = port === undefined ? literal : `${literal} port ${port}`;
  return new ImdsRefusedError("ERR_IMDS_CONNECTION_BLOCKED", `A connection to ${SERVICE_NAMES[service]} at ${where} was blocked`, {
    evidence: [{ source: way, value: literal, says: `the address of ${SERVICE_NAMES[service]}` }],
    advice: ADVICE[service] ?? `If this process needs it, allow it with IMDS_GUARD_FIREWALL_ALLOW=${service}.`,
  });
}

/** The event of an attempt: who tried (pid, command line, JavaScript stack) and where to. */
export function attemptDetails(attempt: Attempt, error: ImdsRefusedError, blocked: boolean, unreported: number): EventDetails {
  const frames = callers(attempt.stack);
  return {
    message: blocked ? error.message : `${error.message.replace(/ was blocked$/, "")} was seen and, in mode report, let pass`,
    endpoint: { address: attempt.literal, port: attempt.port ?? 0 },
    evidence: [
      ...error.evidence,
      { source: "process", value: `pid ${process.pid}`, says: commandLine() },
      ...frames.map((frame, index) => ({ source: `stack ${index + 1}`, value: frame, says: index === 0 ? "the caller" : "called by" })),
      ...(unreported > 0 ? [{ source: "imds-guard", says: `${unreported} earlier attempts were not reported one by one` }] : []),
    ],
    advice: error.advice,
  };
}

/** Where this package is, as stacks name it. */
const HERE = dirname(typeof __filename === "string" ? __filename : fileURLToPath(import.meta.url)) + sep;

/** The frames of the program in a stack; those of Node itself where there are no others. */
export function callers(stack: string | undefined): string[] {
  if (stack === undefined) return [];
  const frames = stack.split("\n").flatMap((line) => /^\s+at (.+)$/.exec(line)?.[1] ?? []);
  const own = frames.filter((frame) => !frame.includes(HERE) && !/\(?node:[\w/.-]+:\d+|<anonymous>\)?$/.test(frame));
  return (own.length > 0 ? own : frames).slice(0, MAX_FRAMES);
}

/** The command line with whatever looks like a secret masked. */
function commandLine(): string {
  const masked = process.argv.map((argument, index, all) => {
    if (/^--?[\w-]*(?:pass|secret|token|key|auth|credential)[\w-]*$/i.test(all[index - 1] ?? "")) return "***";
    return argument.replace(/((?:pass|secret|token|key|auth|credential)[\w-]*=).*/is, "$1***").replace(/(\/\/)[^/@\s]*@/g, "$1***@");
  });
  return masked.join(" ").slice(0, 400);
}

interface Owner {
  destroy?: unknown;
  emit?: unknown;
}

/**
 * Runs `fail`, which makes Node build the error of a failed connection, and gives that error (and each one within an
 * AggregateError) `cause`. The error object is at hand only where the socket receives it.
 */
export function withCause(owner: unknown, cause: Error | undefined, fail: () => void): void {
  if (cause === undefined || typeof owner !== "object" || owner === null) return fail();
  const restore = [intercept(owner, "destroy", cause), intercept(owner, "emit", cause)];
  try {
    fail();
  } finally {
    restore[0]?.();
    restore[1]?.();
  }
}

function intercept(owner: Owner, name: "destroy" | "emit", cause: Error): () => void {
  const original = owner[name];
  const before = Object.getOwnPropertyDescriptor(owner, name);
  if (typeof original !== "function" || before?.configurable === false) return () => undefined;
  const value = function (this: unknown, ...args: unknown[]): unknown {
    try {
      for (let index = 0; index < args.length; index++) explain(args[index], cause);
    } catch {
      // A frozen error, or a program that redefined what an error is: it goes on without its cause.
    }
    return apply(original as (...args: unknown[]) => unknown, this, args);
  };
  defineProperty(owner, name, { value, configurable: true, writable: true, enumerable: false });
  return () => {
    delete owner[name];
    if (before) defineProperty(owner, name, before);
  };
}

function explain(error: unknown, cause: Error): void {
  if (!(error instanceof Error) || error === cause) return;
  if (!("cause" in error)) defineProperty(error, "cause", { value: cause, configurable: true, writable: true, enumerable: false });
  const { errors } = error as { errors?: unknown };
  if (Array.isArray(errors)) for (const inner of errors) explain(inner, cause);
}
