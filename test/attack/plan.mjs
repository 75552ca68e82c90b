// @ts-check
/** Who attacks whom through which door, cut into assignments that can be carried out side by side. */
import { HOST_KINDS } from "../support/host-kinds.mjs";
import { ATTACKS, isHeavy, KINDS } from "./catalogue.mjs";
import { ENTRIES } from "./entries.mjs";

/** @typedef {import("./field.mjs").Assignment} Assignment @typedef {import("./catalogue.mjs").Attack} Attack */

/** Variants of a door change the process and not the host: one of every sort of host does. */
const HOSTS_OF_VARIANTS = ["laptop", "ec2-nitro", "ec2-xen-hvm"];
const [CHAIN] = ENTRIES;
/** So many of a kind stand for it in the quick form. */
const SAMPLE = 3;
/** A whole process for each attack: cut small, so that no lane is left with a long one at the end. */
const PIECE = 40;

/** Of every kind a few, spread over the list. @returns {readonly Attack[]} */
function sample() {
  return KINDS.flatMap((kind) => {
    const all = ATTACKS.filter((attack) => attack.kind === kind);
    return all.filter(
      (_, index) => Math.floor((index * SAMPLE) / all.length) !== Math.floor(((index - 1) * SAMPLE) / all.length),
    );
  });
}

/** @template T @param {readonly T[]} items @param {number} size @returns {T[][]} */
const inPieces = (items, size) =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, index) => items.slice(index * size, (index + 1) * size));

/** @param {boolean} quick @param {readonly import("./entries.mjs").Entry[]} doors */
export function planOf(quick, doors) {
  const together = doors.filter((door) => door.together);
  const variants = doors.filter((door) => door.of !== undefined);
  const apart = doors.filter((door) => !door.together && door.of === undefined);
  const hasChain = CHAIN !== undefined && doors.includes(CHAIN);
  const attacks = quick ? sample() : ATTACKS;
  const hosts = quick ? HOST_KINDS.filter(({ name }) => name === "laptop" || name === "ec2-nitro") : HOST_KINDS;
  const elsewhere = hosts.filter(({ ec2 }) => !ec2);
  const ec2 = hosts.filter(({ ec2: is }) => is);
  /** @type {Assignment[]} */
  const assignments = [
    // Those that take longest come first.
    ...ec2.flatMap(({ name: host }) =>
      apart
        .filter(({ program }) => program === "exec")
        .flatMap((entry) => inPieces(attacks, PIECE).map((piece) => ({ host, entries: [entry], attacks: piece }))),
    ),
    ...ec2.flatMap(({ name: host }) =>
      [...together, ...apart.filter(({ program }) => program !== "exec")].map((entry) => ({
        host,
        entries: [entry],
        attacks,
      })),
    ),
    ...elsewhere.flatMap(({ name: host }) =>
      [together, ...apart.map((entry) => [entry])]
        .filter((entries) => entries.length > 0)
        .map((entries) => ({ host, entries, attacks })),
    ),
    ...hosts
      .filter(({ name }) => HOSTS_OF_VARIANTS.includes(name))
      .flatMap(({ name: host }) => variants.map((entry) => ({ host, entries: [entry], attacks }))),
  ];
  const heavy = attacks.filter(isHeavy).slice(0, quick ? 2 : undefined);
  return {
    attacks,
    hosts,
    assignments,
    /** What is measured alone replaces what was measured in company. */
    alone: /** @type {Assignment[]} */ (
      hasChain
        ? inPieces(heavy, 8).map((piece) => ({ host: "ec2-nitro", entries: [CHAIN], attacks: piece, alone: true }))
        : []
    ),
    genuine: ec2.map(({ name }) => name),
    probed: attacks.filter(
      ({ env, network, silent, afterGenuine }) =>
        hasChain &&
        env === undefined &&
        (network === undefined || network === "neighbour") &&
        silent !== true &&
        afterGenuine !== true,
    ),
    stock: attacks,
  };
}
