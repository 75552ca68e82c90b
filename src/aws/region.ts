/** What a region name looks like. */

const REGION = /^[a-z]{2,}(?:-[a-z]+)+-\d+$/;
const LONGEST_REGION = 32;

/** Whether `text` has the form of an AWS region name, such as `us-gov-east-1`; says nothing about its existence. */
export function isRegionName(text: string): boolean {
  return text.length <= LONGEST_REGION && REGION.test(text);
}
