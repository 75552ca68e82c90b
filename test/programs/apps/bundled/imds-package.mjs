import { fromInstanceMetadata } from "imds-guard/credential-provider-imds";
import { print } from "./signed-by.mjs";

void print({ instance: async () => (await fromInstanceMetadata()()).accessKeyId });
