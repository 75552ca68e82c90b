/** Calls into code that is not ours (loggers, callbacks, sinks), whose failures must not reach the application. */

/**
 * Runs `call`; an exception or a rejected promise ends here. Returns the promise to wait for, if the call made one,
 * which never rejects. Swallowing is the point: a broken logger must not turn a credential request into a failure, and
 * reporting the breakage would go through the same sinks again.
 */
export function quietly(call: () => unknown): Promise<unknown> | undefined {
  try {
    const outcome = call();
    if (typeof outcome !== "object" || outcome === null) return undefined;
    return Promise.resolve(outcome).catch(() => undefined);
  } catch {
    return undefined;
  }
}

/** The same for what nobody waits for. */
export function inBackground(call: () => unknown): void {
  quietly(call)?.catch(() => undefined);
}
