/** Stand-ins for STS that an application may inject, which record what they are asked. */
import { accessKeyIdFor } from "../support/access-keys.mjs";

/** One call of a role assumer. */
export interface Assumption {
  /** Key id of the source credentials, absent for a web identity. */
  readonly source?: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** Credentials as STS gives them. */
export interface Assumed {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string;
  expiration: Date;
}

/** An STS that gives each role a key of its own and remembers who asked for what. */
export interface RecordingSts {
  readonly calls: Assumption[];
  readonly roleAssumer: (source: { readonly accessKeyId: string }, params: object) => Promise<Assumed>;
  readonly roleAssumerWithWebIdentity: (params: object) => Promise<Assumed>;
}

/** Session names made of the time are replaced, for two runs never make the same. */
export function recordingSts(expiration: () => Date = () => new Date("2040-01-01T00:00:00Z")): RecordingSts {
  const calls: Assumption[] = [];
  const assume = (params: object, source?: string): Promise<Assumed> => {
    const known = Object.fromEntries(Object.entries(params).filter(([, value]) => value !== undefined)) as Record<
      string,
      unknown
    >;
    const session = String(known["RoleSessionName"]).replace(/\d{13}$/, "<now>");
    calls.push({ ...(source !== undefined && { source }), params: { ...known, RoleSessionName: session } });
    const arn = String(known["RoleArn"]);
    const accessKeyId = accessKeyIdFor(/:iam::(\d{12}):/.exec(arn)?.[1] ?? "123456789012", arn);
    return Promise.resolve({
      accessKeyId,
      secretAccessKey: `secret of ${arn}`,
      sessionToken: `token of ${arn}`,
      expiration: expiration(),
    });
  };
  return {
    calls,
    roleAssumer: (source, params) => assume(params, source.accessKeyId),
    roleAssumerWithWebIdentity: (params) => assume(params),
  };
}
