/** The metadata options of an instance, a template or an account, in EC2's own words. */
import type { Answer } from "./aws-api.js";
import { numberIn, textIn } from "./answers.js";

/** Options that are stated; words of tomorrow are kept as they are. */
export interface MetadataOptions {
  readonly HttpTokens?: string | undefined;
  readonly HttpEndpoint?: string | undefined;
  readonly HttpPutResponseHopLimit?: number | undefined;
  readonly HttpProtocolIpv6?: string | undefined;
  readonly InstanceMetadataTags?: string | undefined;
}

/** The options that `answer` states, and none else. */
export function statedOptions(answer: Answer | undefined): MetadataOptions {
  const stated = {
    HttpTokens: textIn(answer, "HttpTokens"),
    HttpEndpoint: textIn(answer, "HttpEndpoint"),
    HttpPutResponseHopLimit: numberIn(answer, "HttpPutResponseHopLimit"),
    HttpProtocolIpv6: textIn(answer, "HttpProtocolIpv6"),
    InstanceMetadataTags: textIn(answer, "InstanceMetadataTags"),
  };
  return Object.fromEntries(Object.entries(stated).filter(([, value]) => value !== undefined));
}

/** The options that are in force on an instance: what it does not state is as EC2 has it where nobody said anything. */
export function optionsInForce(answer: Answer | undefined): MetadataOptions & { readonly HttpTokens: string } {
  return {
    HttpTokens: "optional",
    HttpEndpoint: "enabled",
    HttpPutResponseHopLimit: 1,
    HttpProtocolIpv6: "disabled",
    InstanceMetadataTags: "disabled",
    ...statedOptions(answer),
  };
}

/** Whether two sets of options say the same. */
export function sameOptions(a: MetadataOptions, b: MetadataOptions): boolean {
  return (
    a.HttpTokens === b.HttpTokens &&
    a.HttpEndpoint === b.HttpEndpoint &&
    a.HttpPutResponseHopLimit === b.HttpPutResponseHopLimit &&
    a.HttpProtocolIpv6 === b.HttpProtocolIpv6 &&
    a.InstanceMetadataTags === b.InstanceMetadataTags
  );
}

/** `HttpTokens optional, hop limit 2`: what differs from `other`, or all that is stated. */
export function optionsText(options: MetadataOptions, other: MetadataOptions = {}): string {
  const stated = Object.entries(options).filter(
    ([name, value]) => value !== undefined && value !== other[name as keyof MetadataOptions],
  );
  return stated.length === 0 ? "nothing stated" : stated.map(([name, value]) => `${name} ${value}`).join(", ");
}
