/** `MetadataService`: the client of `@aws-sdk/ec2-metadata-service` by name and methods, through a guard. */
import { ImdsUnavailableError, invalidArgument } from "../base/errors.js";
import type { Guard } from "../guard/guard.js";
import { ownProperty } from "../base/own-properties.js";
import type { GuardKey } from "./guard-option.js";
import { guardOf } from "./providers.js";

/** Options of {@link MetadataService}. */
export interface MetadataServiceInit extends GuardKey {
  /** Name of the shared config profile. Default: `AWS_PROFILE`, else `default`. */
  readonly profile?: string | undefined;
}

/** Options of {@link MetadataService.request}, as in the SDK. */
export interface MetadataRequestOptions {
  /** `GET` is the only method that the service knows besides the token's. */
  readonly method?: string | undefined;
  /** Not used: the guard sets the token header itself. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/**
 * Metadata of this EC2 instance. Same method names as the SDK's class, but every request is decided, pinned, IMDSv2
 * only, bounded, and answered by a responder that has proved itself first.
 *
 * @example
 * ```ts
 * import { MetadataService } from "imds-guard";
 * const metadata = new MetadataService();
 * console.log(await metadata.request("/latest/meta-data/ami-id", {}));
 * console.log(await metadata.tags());
 * ```
 */
export class MetadataService {
  readonly #guard: Guard;

  constructor(init: MetadataServiceInit = {}) {
    this.#guard = guardOf(init);
  }

  /**
   * GET of a metadata path as text.
   * @throws TypeError for another method, or a path that holds credentials or is none of the service; ImdsGuardError
   */
  async request(path: string, options: MetadataRequestOptions = {}): Promise<string> {
    const method = ownProperty(options, "method");
    if (method !== undefined && method !== "GET") throw invalidArgument("options.method", method, "GET");
    return this.#guard.metadata(path);
  }

  /** An IMDSv2 session token. A secret. The methods of this class fetch and renew their own. */
  async fetchMetadataToken(): Promise<string> {
    return this.#guard.metadataToken();
  }

  /** The instance id, from the signed document where attestation is on. */
  async instanceId(): Promise<string> {
    return (await this.#guard.identity())?.instanceId ?? this.request("/latest/meta-data/instance-id");
  }

  /** The region, as configured or attested. */
  async region(): Promise<string> {
    return this.#guard.region();
  }

  /** The availability zone, such as `eu-central-1a`; from the signed document where attestation is on. */
  async availabilityZone(): Promise<string> {
    return (
      (await this.#guard.identity())?.availabilityZone ?? this.request("/latest/meta-data/placement/availability-zone")
    );
  }

  /** Tags of the instance. Empty unless access to tags in instance metadata is enabled for it. */
  async tags(): Promise<Readonly<Record<string, string>>> {
    const tags: Record<string, string> = Object.create(null) as Record<string, string>;
    let listing: string;
    try {
      listing = await this.request("/latest/meta-data/tags/instance");
    } catch (error) {
      if (error instanceof ImdsUnavailableError && error.code === "ERR_IMDS_NOT_FOUND") return tags;
      throw error;
    }
    // EC2 allows 50 tags, whose keys in metadata are letters, digits and + - = . , _ : @ (EC2 User Guide, "View tags").
    for (const name of listing.split("\n").filter(Boolean).slice(0, MAX_TAGS)) {
      tags[name] = await this.request(`/latest/meta-data/tags/instance/${name}`);
    }
    return tags;
  }
}

const MAX_TAGS = 64;
