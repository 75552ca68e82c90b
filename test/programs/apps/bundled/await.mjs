/** A module that waits for its credentials at its top. */
import { fromNodeProviderChain } from "imds-guard";

const chain = await fromNodeProviderChain()().then(
  ({ accessKeyId }) => ({ value: accessKeyId }),
  (error) => ({ error: error.name, code: error.code, message: error.message }),
);
process.stdout.write(JSON.stringify({ chain }));
