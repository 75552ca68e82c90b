/** `imds-guard credential-process`: proved instance credentials for any program that reads `~/.aws/config`. */
import { isImdsGuardError } from "../base/errors.js";
import type { System } from "../base/system.js";
import { createGuard } from "../guard/create-guard.js";
import { servicesOf } from "../guard/guard.js";
import { atMost, checkForImpersonator } from "../serving/impersonator-check.js";
import type { Command } from "./command.js";
import { UsageError } from "./command.js";

/** An answer that is an error waits so many milliseconds for somebody who answers as IMDS; the next call looks again. */
const CHECK_MS = 50;

export const command: Command = {
  name: "credential-process",
  summary: "print proved instance credentials for credential_process in ~/.aws/config",
  usage: "[--profile NAME]",
  description: [
    "For a profile that says credential_process = imds-guard credential-process. Prints the JSON that the AWS SDKs and the AWS CLI expect from such a process: Version, AccessKeyId, SecretAccessKey, SessionToken, Expiration, and AccountId where the key tells it.",
    "Gives the credentials of this instance, and only where the guard lets IMDS be asked and the answer was proved. With --profile, settings are those of that profile; and where its source is the instance (credential_source = Ec2InstanceMetadata, also through source_profile), its roles are assumed on top. Credentials of other kinds need no such process and are not given, so a profile that names this command cannot ask itself.",
    "Exit code 0 with credentials; 1 for a finding, 2 for a wrong call, 3 where there are none. Errors go to stderr. On a terminal a warning says that secrets were printed.",
  ],
  options: [
    {
      name: "profile",
      short: "p",
      value: "NAME",
      summary: "shared config profile with settings, and with roles to assume",
    },
  ],
  examples: [
    { command: "imds-guard credential-process", does: "the credentials of this instance" },
    {
      command: "aws configure set profile.app.credential_process 'imds-guard credential-process'",
      does: "a profile that any SDK can use",
    },
  ],
  async run({ options, words, ui, system }) {
    if (words.length > 0) throw new UsageError(`credential-process takes no words, and got ${words[0]}`);
    const { profile } = options;
    const named = typeof profile === "string" ? { profile } : {};
    const guard = createGuard(named, { system });
    let checking = Promise.resolve();
    try {
      // Files that are endless, or lose a setting with them, end here and are not opened once more.
      await servicesOf(guard);
      const origin = typeof profile === "string" ? await originOf(profile, system) : "instance";
      // Begun before the guard looks by itself, whose look ends with it.
      if (origin !== "certificate") checking = checkForImpersonator(guard);
      const credentials =
        origin === "instance"
          ? await guard.verify(await guard.credentials(), "instance metadata")
          : await (await import("../sdk/ini.js")).fromIni({ ...named, guard })();
      const { processFormat } = await import("../serving/credential-server.js");
      if (ui.terminal) ui.note("warning: what follows are secrets, on a terminal that may be recorded");
      ui.line(JSON.stringify(processFormat(credentials)));
      return 0;
    } catch (error) {
      // Never as JSON on stdout, which is the SDK's.
      if (!isImdsGuardError(error)) throw error;
      await atMost(checking, CHECK_MS);
      ui.error(`${error.message} [${error.code}]`, [error.advice]);
      return error.kind === "impersonation" || error.kind === "untrusted" ? 1 : error.kind === "settings" ? 2 : 3;
    } finally {
      await guard.close();
    }
  },
};

/** What gives the credentials of a profile: a certificate, the instance through roles that it names, or the instance. */
async function originOf(profile: string, system: System): Promise<"certificate" | "roles" | "instance"> {
  const [{ readProfiles }, { routeToCertificate, routeToImds }] = await Promise.all([
    import("../serving/credential-origin.js"),
    import("../sdk/ini.js"),
  ]);
  const profiles = await readProfiles(system, profile);
  if (routeToCertificate(profiles, profile) !== undefined) return "certificate";
  return routeToImds(profiles, profile) === undefined ? "instance" : "roles";
}
