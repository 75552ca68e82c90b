/** Leaves out the networks that do have EC2 instances, whose requests to the metadata service are to be expected. */
import { IMDS_IPV4, IMDS_IPV6, inNetwork, overlaps, parseNetwork } from "../base/addresses.js";
import { invalidArgument } from "../base/errors.js";
import { fieldOf } from "./log-record.js";
import type { LogRecord } from "./log-record.js";
import type { LogSource, Search, SigmaRule } from "./sigma-rule.js";
import { isDetectionRule } from "./sigma-rule.js";

/** Networks whose traffic is to be expected. */
export interface Suppression {
  /** In CIDR notation, IPv4 or IPv6. */
  readonly subnets?: readonly string[] | undefined;
  /** VLAN numbers, 1 to 4094. */
  readonly vlans?: readonly number[] | undefined;
}

interface PlaceFields {
  /** Fields that hold the address of a host of the network. */
  readonly hosts: readonly string[];
  readonly vlan?: string;
}

const PLACES: readonly (readonly [source: LogSource, places: PlaceFields])[] = [
  [{ category: "firewall" }, { hosts: ["src_ip", "dst_ip"], vlan: "vlan" }],
  [{ category: "proxy" }, { hosts: ["src_ip"] }],
  [{ category: "dns" }, { hosts: ["src_ip"] }],
  [{ category: "webserver" }, { hosts: ["c-ip"] }],
  [{ category: "network" }, { hosts: ["source.ip", "destination.ip"], vlan: "network.vlan.id" }],
  [{ category: "network_connection" }, { hosts: ["SourceIp"] }],
  [{ product: "zeek" }, { hosts: ["id.orig_h", "id.resp_h"], vlan: "vlan" }],
  [
    { product: "suricata", service: "arp" },
    { hosts: ["arp.dest_ip"], vlan: "vlan" },
  ],
  [{ product: "aws", service: "cloudtrail" }, { hosts: ["sourceIPAddress"] }],
];

/**
 * The rule with a filter for hosts in the subnets and on the VLANs, whichever side of the connection they are on. A
 * rule whose log tells neither (processes, syslog, own events) and a correlation are returned as they are: a
 * correlation follows the rules that it joins.
 *
 * For CloudTrail the subnets are those of the addresses with which instances reach AWS, such as NAT gateways.
 *
 * @throws TypeError with code `ERR_INVALID_ARG_VALUE` for what is no network or VLAN, and for a subnet that contains an
 *   address of the metadata service: it would suppress every match
 */
export function withSuppression<R extends SigmaRule>(rule: R, { subnets = [], vlans = [] }: Suppression): R {
  checkSubnets(subnets);
  for (const vlan of vlans)
    if (!Number.isInteger(vlan) || vlan < 1 || vlan > 4094)
      throw invalidArgument("vlans", vlan, "whole numbers from 1 to 4094");
  if (!isDetectionRule(rule)) return rule;
  const places = PLACES.find(([source]) =>
    Object.entries(source).every(([key, value]) => rule.logsource[key as keyof LogSource] === value),
  )?.[1];
  if (places === undefined) return rule;
  const filters = [
    ...(subnets.length > 0 ? places.hosts.map((field) => filterOf(field, `${field}|cidr`, subnets)) : []),
    ...(vlans.length > 0 && places.vlan !== undefined ? [filterOf(places.vlan, places.vlan, vlans)] : []),
  ];
  if (filters.length === 0) return rule;
  const { condition, ...searches } = rule.detection;
  const conditions = [`(${condition})`, ...filters.map((filter) => filter.condition)];
  const detection = filters.reduce((all, filter) => ({ ...all, ...filter.searches }), searches);
  return { ...rule, detection: { ...detection, condition: conditions.join(" and ") } };
}

/**
 * What is filtered by a field, and its absence: in SQL nothing is said of what is absent, neither that it is in a network
 * nor that it is not, and a record without a VLAN would never be found.
 */
function filterOf(field: string, key: string, values: readonly (string | number)[]) {
  const [inside, absent] = [`filter_main_ec2_${name(field)}`, `filter_main_no_${name(field)}`];
  const searches: Readonly<Record<string, Search>> = {
    [inside]: { [key]: single(values) },
    [absent]: { [field]: null },
  };
  return { searches, condition: `(${absent} or not ${inside})` };
}

function checkSubnets(subnets: readonly string[]): void {
  for (const subnet of subnets) {
    const network = parseNetwork(subnet, "subnets");
    if ([IMDS_IPV4, IMDS_IPV6].some((address) => overlaps(network, parseNetwork(address)))) {
      throw invalidArgument("subnets", subnet, "networks of hosts, without the addresses of the metadata service");
    }
  }
}

function name(field: string): string {
  return field.toLowerCase().replace(/[^a-z0-9]+/g, "_");
}

function single<T>(values: readonly T[]): T | readonly T[] {
  return values.length === 1 ? values[0]! : values;
}

/** Tells what lies in the networks that are expected to ask. */
export interface Places {
  /** Whether a host of the record is in one of the subnets, or the record on one of the VLANs. */
  readonly holdRecord: (record: LogRecord) => boolean;
  /** Whether the text names an address in one of the subnets. */
  readonly holdText: (text: string) => boolean;
}

const HOST_FIELDS = [...new Set(PLACES.flatMap(([, { hosts }]) => hosts)), "c-ip", "SourceIp", "DestinationIp"];
const VLAN_FIELDS = ["vlan", "network.vlan.id"];
const ADDRESS = /(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}(?![\w]|\.\d)|[0-9a-f]{1,4}:[0-9a-f:]{2,42})/gi;
/** Addresses of one line that are looked at. */
const MOST_ADDRESSES = 256;

/** For what no filter of a rule can be written for. */
export function createPlaces({ subnets = [], vlans = [] }: Suppression): Places {
  const networks = subnets.map((subnet) => parseNetwork(subnet, "subnets"));
  const inside = (address: unknown): boolean =>
    typeof address === "string" && networks.some((network) => inNetwork(network, address));
  return {
    holdRecord: ({ fields }) =>
      HOST_FIELDS.some((name) => inside(fieldOf(fields, name))) ||
      VLAN_FIELDS.some((name) => [fieldOf(fields, name)].flat().some((vlan) => vlans.includes(Number(vlan)))),
    holdText(text) {
      if (networks.length === 0) return false;
      let looked = 0;
      for (const [address] of text.matchAll(ADDRESS)) {
        if (inside(address)) return true;
        if (++looked === MOST_ADDRESSES) return false;
      }
      return false;
    },
  };
}
