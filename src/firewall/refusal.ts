/**
 * What a refused connection becomes for whoever asked for it: the natural failure of each API, and a stack of who that
 * was.
 */
import { types } from "node:util";
import type { MetadataService } from "./classify.js";
import { defineOwn } from "./define-own.js";
import { nodeProcess } from "./node-process.js";

const { assign, defineProperty, hasOwn } = Object;
const { apply } = Reflect;
const { captureStackTrace } = Error;
const { isNativeError } = types;

/** `EACCES` as libuv hands it out: the negative of the number that every Unix has for it, and one of libuv's own. */
export const EACCES = nodeProcess.platform === "win32" ? -4092 : -13;

/** Frames that are captured before those of Node itself are left out. */
const CAPTURED_FRAMES = 64;

/** One attempt to reach a metadata service. */
export interface Attempt {
  readonly literal: string;
  readonly port: number | undefined;
  readonly service: MetadataService;
  /** How it was tried: `tcp`, `udp`, `dns-server`, `http` (a request that would have gone through a proxy). */
  readonly via: "tcp" | "udp" | "dns-server" | "http";
  /** The stack of whoever asked for it, as V8 writes it. */
  readonly stack: string | undefined;
}

/** A stack that was captured and is not written out yet: that costs a hundred times as much. */
export interface CapturedStack {
  readonly stack?: string;
}

/** Captures the stack at this point, without the frames above `below`. */
export function captureHere(below: (...args: never[]) => unknown): CapturedStack {
  const captured = { __proto__: null } as CapturedStack;
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
  defineOwn(owner, name, value);
  return () => {
    delete owner[name];
    if (before) defineProperty(owner, name, assign({ __proto__: null }, before));
  };
}

function explain(error: unknown, cause: Error): void {
  // Node makes its errors in the main realm, and this may be another.
  if (!isNativeError(error) || error === cause) return;
  if (!hasOwn(error, "cause")) defineOwn(error, "cause", cause);
  const { errors } = error as { errors?: unknown };
  if (Array.isArray(errors)) for (const inner of errors) explain(inner, cause);
}
