/**
 * What a guard notes on credentials that it hands out, behind registered symbols: a chain of one copy of this package
 * reads what the guard of another has noted. No spread and no JSON shows it.
 */

/**
 * How credentials that a guard handed out stand with it now. `withdrawn`: they rest on proof that a later finding of
 * that guard has shaken, or it was closed; `due`: it holds others, or would renew them if it was asked.
 */
export type CredentialState = "current" | "due" | "withdrawn";

const STATE = Symbol.for("imds-guard.credentials.1");
const ROLE_NAME = Symbol.for("imds-guard.role-name");

/** How these credentials stand with the guard that handed them out; those of any other source are current. */
export function credentialStateOf(credentials: object): CredentialState {
  if (!Object.hasOwn(credentials, STATE)) return "current";
  return (credentials as { readonly [STATE]: () => CredentialState })[STATE]();
}

/** Lets whoever remembers these credentials ask how they stand. */
export function withCredentialState<C extends object>(credentials: C, state: () => CredentialState): C {
  return note(credentials, STATE, state);
}

/** The role that credentials belong to, where a guard handed them out. */
export function roleNameOf(credentials: object): string | undefined {
  return (credentials as { readonly [ROLE_NAME]?: string })[ROLE_NAME];
}

/** Notes the role. */
export function withRoleName<C extends object>(credentials: C, roleName: string): C {
  return note(credentials, ROLE_NAME, roleName);
}

function note<C extends object>(credentials: C, key: symbol, value: unknown): C {
  return Object.defineProperty(credentials, key, { __proto__: null, value } as PropertyDescriptor);
}
