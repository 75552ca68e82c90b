/** What several errors and events advise alike. */

export const DISTRUST = "Do not use what was answered, and find out who answered.";
export const NOT_GENUINE = `Whoever answered is not the instance metadata service, or something changes its answers. ${DISTRUST}`;
export const EXPECT_ACCOUNTS =
  "Set expectedAccounts to the ids of your accounts, so that keys of any other account are refused.";
export const OTHER_SOURCES =
  "Give this process credentials of another kind (environment, profile, SSO, IAM Roles Anywhere).";
