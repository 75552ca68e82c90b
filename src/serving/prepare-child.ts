/** Everything a program needs to run under a guard: the decision, credentials that are served, region, environment. */
import { randomBytes } from "node:crypto";
import type { Server } from "node:net";
import type { Guard, Whereabouts } from "../guard/guard.js";
import type { ImdsGuardError } from "../base/errors.js";
import { mayPass } from "../base/errors.js";
import { fromNodeProviderChain } from "../sdk/node-chain.js";
import type { System } from "../base/system.js";
import { profileIn } from "../settings/environment.js";
import type { ChildPlan } from "./child-environment.js";
import { environmentChanges } from "./child-environment.js";
import type { ConfigCopies } from "./config-copy.js";
import { copyWithoutCredentials } from "./config-copy.js";
import type { CredentialOrigin, Environment, Profiles } from "./credential-origin.js";
import { credentialOrigin, readProfiles } from "./credential-origin.js";
import type { CredentialServer } from "./credential-server.js";
import { startCredentialServer } from "./credential-server.js";
import type { Rejection } from "./loopback-server.js";

/** How {@link prepareChild} prepares. */
export interface PrepareOptions {
  readonly guard: Guard;
  readonly system: System;
  /** Profile that was asked for by name. */
  readonly profile?: string | undefined;
  /**
   * Which credentials are served. Default `instance`: those that come from IMDS or with a certificate, because the
   * program finds all others by itself.
   */
  readonly serve?: "instance" | "all" | "none" | undefined;
  /** Absolute path of the preload for Node.js programs. */
  readonly preload?: string | undefined;
  /** Called for every request to the credential server that was turned away. */
  readonly onRejected?: ((reason: Rejection) => void) | undefined;
}

/** A program may start. */
export interface PreparedChild extends Whereabouts {
  readonly guard: Guard;
  /** Where the program would have found credentials by itself. */
  readonly origin: CredentialOrigin;
  /** Whether it is served credentials. */
  readonly served: boolean;
  /** Why there are none to serve at this moment; they are served once there are. */
  readonly waiting?: ImdsGuardError | undefined;
  /** What to change in the environment: values to set, undefined for what to remove. Holds the token of the server. */
  readonly changes: Environment;
  /** The socket of the credential server, for the program to hold as well. */
  readonly listener?: Server | undefined;
  /** Ends the server and removes what was written. */
  close(): Promise<void>;
}

/**
 * Prepares. Nothing that failed a proof is served, and nothing is left open on an error.
 * @throws ImdsGuardError for a finding, a setting that cannot be honoured, or keys of an account that is not expected
 */
export async function prepareChild(options: PrepareOptions): Promise<PreparedChild> {
  const { guard, system, profile, preload, serve = "instance" } = options;
  const whereabouts = await guard.whereAmI();
  const profiles = await readProfiles(system, profile);
  const origin = credentialOrigin(system.env, profiles, profile);
  // The guard's own, which the program could not obtain by itself.
  const ofCertificate = origin === "certificate";
  const ofInstance = origin === "instance" || origin === "profile-of-instance";
  const mayServe = ofInstance ? whereabouts.decision.kind === "contact" : ofCertificate || serve === "all";
  const serving = mayServe && serve !== "none";
  if (!serving && !ofInstance && !ofCertificate)
    await verifyVisible(guard, origin, system.env, profiles[profile ?? profileIn(system.env)]);

  const named = profile ?? profileIn(system.env);
  const waiting = serving ? await firstLook(guard, profile) : undefined;
  const region =
    serving && !ofCertificate && whereabouts.decision.kind === "contact"
      ? await regionFor(guard, system.env, profiles[named])
      : undefined;
  let server: CredentialServer | undefined;
  let copies: ConfigCopies | undefined;
  const close = async (): Promise<void> => {
    copies?.remove();
    await server?.close();
    await guard.close();
  };
  try {
    if (serving && (ofCertificate || origin === "profile" || origin === "profile-of-instance"))
      copies = copyWithoutCredentials(named, system);
    if (serving) {
      const provide = fromNodeProviderChain({ guard, ...(profile !== undefined && { profile }) });
      server = await startCredentialServer({
        provide: () => provide(),
        path: `/credentials/${randomBytes(16).toString("base64url")}`,
        onRejected: options.onRejected,
      });
    }
    const plan: ChildPlan = { profile, region, files: copies, preload, served: server };
    return {
      ...whereabouts,
      guard,
      origin,
      served: server !== undefined,
      waiting,
      listener: server?.listener,
      changes: environmentChanges(system.env, plan),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Keys that the program will read by itself are held against the expected accounts where that needs nobody's help. */
async function verifyVisible(
  guard: Guard,
  origin: CredentialOrigin,
  env: Environment,
  keys: Profiles[string],
): Promise<void> {
  const [accessKeyId, secretAccessKey, sessionToken] =
    origin === "environment"
      ? [env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env["AWS_SESSION_TOKEN"]]
      : [keys?.["aws_access_key_id"], keys?.["aws_secret_access_key"], keys?.["aws_session_token"]];
  if (accessKeyId && secretAccessKey && (origin === "environment" || !keys?.["role_arn"]))
    await guard.verify({ accessKeyId, secretAccessKey, sessionToken }, origin);
}

/** Gets credentials once before the program starts: an outage may pass, anything else must not be discovered later. */
async function firstLook(guard: Guard, profile: string | undefined): Promise<ImdsGuardError | undefined> {
  try {
    await fromNodeProviderChain({ guard, ...(profile !== undefined && { profile }) })();
    return undefined;
  } catch (error) {
    return outage(error);
  }
}

/** The region of the proved instance, where neither environment nor profile states one. */
async function regionFor(guard: Guard, env: Environment, keys: Profiles[string]): Promise<string | undefined> {
  if (env["AWS_REGION"] || env["AWS_DEFAULT_REGION"] || keys?.["region"]) return undefined;
  try {
    return await guard.region();
  } catch (error) {
    outage(error);
    return undefined;
  }
}

/** The error where it is one that may pass; thrown on where it is not. */
function outage(error: unknown): ImdsGuardError {
  if (mayPass(error)) return error;
  throw error;
}
