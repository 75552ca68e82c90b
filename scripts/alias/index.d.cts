export * from "imds-guard/credential-provider-imds";
