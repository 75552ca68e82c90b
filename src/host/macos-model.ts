/** The models of Macs that EC2 never had. */
import { ownProperty } from "../base/own-properties.js";

/**
 * Whether EC2 never had this model: portables and Macs with a screen, as of November 2026. EC2 has Mac mini and Mac Studio
 * (mac1, mac2, mac2-m2, mac2-m2pro, mac2-m1ultra, mac-m4, mac-m4pro and those that follow), so that any other one, and any
 * model that is not listed, may be one of them. Source: "Amazon EC2 Mac instances", EC2 User Guide, and Apple's lists of
 * models (support.apple.com 102852, 102869, 108054).
 */
export function isNoEc2Mac(model: string): boolean {
  if (/^(?:MacBook(?:Air|Pro)?|iMac(?:Pro)?)\d{1,2},\d{1,2}$/.test(model)) return true;
  const [, series = "", number] = /^(Mac\d\d),([1-9]\d?)$/.exec(model) ?? [];
  return ownProperty(NEVER_AT_EC2, series)?.includes(Number(number)) === true;
}

/** Since 2022 the name of a model tells no family any more. */
const NEVER_AT_EC2: Readonly<Record<string, readonly number[]>> = {
  // MacBook Air and MacBook Pro with M2
  Mac14: [2, 5, 6, 7, 9, 10, 15],
  // MacBook Air, MacBook Pro and iMac with M3
  Mac15: [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13],
  // MacBook Air, MacBook Pro and iMac with M4
  Mac16: [1, 2, 3, 5, 6, 7, 8, 12, 13],
};
