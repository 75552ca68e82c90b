/** `createGuard` as applications get it: the guard, and what ties it to SDK clients. */
import type { Guard } from "../guard.js";
import { createGuard as createCore } from "../guard.js";
import type { GuardOptions } from "../settings/options.js";
import type { ClientConfig, ClientConfigInit } from "./client-config.js";
import { clientConfig } from "./client-config.js";

/** A guard with the means to configure SDK clients. */
export interface ApplicationGuard extends Guard {
  /**
   * Region, credentials and defaults mode for an SDK client, so that it sends no IMDS request of its own.
   *
   * @example
   * ```ts
   * import { S3Client } from "@aws-sdk/client-s3";
   * import { createGuard } from "imds-guard";
   * const guard = createGuard();
   * const s3 = new S3Client({ ...guard.clientConfig() });
   * ```
   */
  clientConfig(init?: ClientConfigInit): ClientConfig;
}

/**
 * Creates a guard: for agents that live long, and to be shared by several providers through their `guard` key.
 * Nothing is read or sent before the first call.
 *
 * @example
 * ```ts
 * import { createGuard } from "imds-guard";
 * const guard = createGuard({ expectedAccounts: ["111122223333"] });
 * const { host, decision } = await guard.whereAmI();
 * console.log(host.verdict, host.reason, decision.kind);
 * await guard.close();
 * ```
 * @throws TypeError `ERR_INVALID_ARG_VALUE` for an option that is unknown or not allowed
 */
export function createGuard(options: GuardOptions = {}): ApplicationGuard {
  const core = createCore(options);
  return { ...core, clientConfig: (init) => clientConfig(core, init) };
}
