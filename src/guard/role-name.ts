/** The role of credentials that a guard handed out, noted on the credentials: every copy of the package finds it there. */

const ROLE_NAME = Symbol.for("imds-guard.role-name");

/** Notes the role. No spread and no JSON shows it. */
export function noteRoleName(credentials: object, roleName: string): void {
  const descriptor = { __proto__: null, value: roleName, enumerable: false };
  Object.defineProperty(credentials, ROLE_NAME, descriptor);
}

/** The role that credentials belong to, where a guard handed them out. */
export function roleNameOf(credentials: object): string | undefined {
  return (credentials as { readonly [ROLE_NAME]?: string })[ROLE_NAME];
}
