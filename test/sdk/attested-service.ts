/**
 * A genuine-looking service on loopback, signed by a throw-away key, and the settings under which a guard has to prove
 * it.
 */
import { processWide } from "../../src/base/process-wide.js";
import type { GuardOptions } from "../../src/settings/options.js";
import { startImdsServer } from "../support/imds-server.mjs";
import { createSigner } from "../support/identity-signer.mjs";
import type { Scene } from "./side-by-side.js";
import { inScene } from "./side-by-side.js";

const signer = createSigner();

/** What a test gets to work with. */
export interface AttestedService {
  readonly service: Awaited<ReturnType<typeof startImdsServer>>;
  readonly options: GuardOptions;
}

/** The same for guards that nobody gives options, as those of a preload: all is said in the environment. */
export function withAttestedEnvironment<T>(
  scene: Scene,
  identity: Parameters<typeof startImdsServer>[0],
  act: (service: AttestedService["service"]) => Promise<T>,
): Promise<T> {
  // Made once in a process, for whatever the environment was then.
  (processWide(Symbol.for("imds-guard.process-guards.1")) as Map<string, unknown> | undefined)?.clear();
  const env = {
    IMDS_GUARD_ATTESTATION: "required",
    IMDS_GUARD_CERTIFICATES: `${identity?.region ?? "eu-central-1"}={HOME}/signer.pem`,
    ...scene.env,
  };
  const files = { "signer.pem": signer.publicKeyPem, ...scene.files };
  return withAttestedService({ ...scene, env, files }, identity, ({ service }) => act(service));
}

/** The service is the loopback endpoint of the scene; attestation is required, as on EC2. */
export async function withAttestedService<T>(
  scene: Scene,
  identity: Parameters<typeof startImdsServer>[0],
  act: (here: AttestedService) => Promise<T>,
): Promise<T> {
  const service = await startImdsServer({ signDocument: (text: string) => signer.sign(text), ...identity });
  try {
    const region = identity?.region ?? "eu-central-1";
    const options: GuardOptions = {
      attestation: "required",
      certificates: { [region]: signer.publicKeyPem },
      log: "off",
    };
    return await inScene({ ...scene, env: { AWS_EC2_METADATA_SERVICE_ENDPOINT: service.url, ...scene.env } }, () =>
      act({ service, options }),
    );
  } finally {
    await service.close();
  }
}
