/** A program that knows nothing of this package: the stock SDK asks IMDS. */
import { fromInstanceMetadata, fromNodeProviderChain } from "@aws-sdk/credential-providers";

const outcome = {};
for (const [name, provide] of Object.entries({ chain: fromNodeProviderChain(), instance: fromInstanceMetadata() })) {
  outcome[name] = await provide().then(
    ({ accessKeyId }) => ({ value: accessKeyId }),
    (error) => ({ code: error.code ?? error.name }),
  );
}
console.log(JSON.stringify(outcome));
process.exit(0);
