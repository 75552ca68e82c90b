/** What a fact about a host is found to be, and how that is told to a person. */
const WORDS = {
  empty: "there, and empty",
  absent: "not there",
  model: "the model; anybody may call a machine so",
  "UUID of EC2": "begins with ec2, as one UUID in 2048 does by chance: never enough alone",
  "no UUID of EC2": "every EC2 instance has a UUID that begins with ec2 in one byte order",
  "instance id": "has the form of an instance id",
  "no instance id": "no instance id",
  "Nitro tag": "the tag that Nitro writes",
  "no Nitro tag": "not the tag that Nitro writes",
  WSL: "a Windows Subsystem for Linux",
  kernel: "the kernel's banner; a kernel runs anywhere",
  "no Mac of EC2": "a model that EC2 does not have",
  Mac: "a model that EC2 may have",
  "Amazon part": "a part of Amazon; the system's own vendor tells",
  "Nitro vendor": "the vendor of EC2's Nitro hosts",
  "Xen vendor": "Xen, on EC2 and elsewhere: its version tells",
  "no vendor": "names nobody",
  "other vendor": 'another vendor than "Amazon EC2"',
  "Amazon Xen": "Amazon's build of Xen",
  version: "a version; only that of Xen tells anything",
  "other Xen version": "not a version of Amazon's build of Xen",
  "domain 0": "Xen's own domain 0, which has no UUID: counts as absent",
  "Xen UUID of EC2": "begins with ec2: never enough alone",
  "UUID of another hypervisor": "the UUID of a hypervisor other than Xen",
  "Xen UUID of another host": "every Xen guest of EC2 has a UUID that begins with ec2",
  "foreign hypervisor": "a hypervisor that is not the host's own",
  "other Xen": "not Amazon's build of Xen",
  "virtual tree": "the generated tree of a virtual machine",
  "named board": "a named board; EC2 has DMI and names none",
  hypervisor: "the kind of hypervisor",
  container: "a sign of a container, which says nothing about the host",
} as const;

/** A kind of finding, by the few words that stand for it in a bundle. */
export type Finding = keyof typeof WORDS;

export const wordsFor = (finding: Finding): string => WORDS[finding];
