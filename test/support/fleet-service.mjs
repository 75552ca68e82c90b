// @ts-check
/**
 * A stand-in for EC2, Auto Scaling, CloudWatch, IAM and STS on loopback, as far as a fleet is looked at and changed: pages,
 * faults by account, region and action, and a count of what was asked. What it answers is written by hand from AWS's API
 * references; moto is the other side that it is held against.
 */
import { createServer } from "node:http";
import { once } from "node:events";

/**
 * @typedef {{ HttpTokens?: string, HttpEndpoint?: string, HttpPutResponseHopLimit?: number, HttpProtocolIpv6?: string, InstanceMetadataTags?: string, [other: string]: unknown }} Options
 * @typedef {{ id: string, options: Options, tags?: Record<string, string>, state?: string, profile?: string, launched?: string, attached?: string, points?: [hoursAgo: number, value: number][], rejected?: [hoursAgo: number, value: number][] }} Instance
 * @typedef {{ options?: Options, data?: Record<string, unknown>, description?: string }} Version
 * @typedef {{ id: string, name: string, versions: Version[], default: number, tags?: Record<string, string> }} Template
 * @typedef {{ name: string, template?: { id: string, version: string }, configuration?: string }} Group
 * @typedef {{ instances: Instance[], templates: Template[], groups: Group[], configurations: { name: string, options?: Options }[], images: { id: string, imdsSupport?: string }[], defaults: Record<string, unknown> }} Region
 * @typedef {{ accountId: string, region: string, action: string, body: string }} Asked
 * @typedef {{ status: number, code: string } | "hang-up" | undefined} Fault
 */

/** An empty region. @returns {Region} */
export function emptyRegion() {
  return { instances: [], templates: [], groups: [], configurations: [], images: [], defaults: {} };
}

const HOUR = 3_600_000;
/** Elements that are lists, and how the query protocols write what is in them. */
const EC2_ITEM = "item";
const QUERY_ITEM = "member";

/** @param {unknown} value @param {string} item @returns {string} */
function xml(value, item) {
  if (Array.isArray(value)) return value.map((each) => `<${item}>${xml(each, item)}</${item}>`).join("");
  if (typeof value === "object" && value !== null)
    return Object.entries(value)
      .filter(([, each]) => each !== undefined)
      .map(([name, each]) => `<${name}>${xml(each, item)}</${name}>`)
      .join("");
  return String(value).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** EC2 writes names with a small first letter. @param {Record<string, unknown>} given @returns {Record<string, unknown>} */
function lower(given) {
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) => [
      name.slice(0, 1).toLowerCase() + name.slice(1),
      typeof value === "object" && value !== null && !Array.isArray(value)
        ? lower(/** @type {Record<string, unknown>} */ (value))
        : value,
    ]),
  );
}

/** @param {Record<string, string> | undefined} tags */
const tagSet = (tags) => Object.entries(tags ?? {}).map(([key, value]) => ({ key, value }));

/** `Filter.1.Value.1` and its like. @param {URLSearchParams} form @param {RegExp} pattern */
const valuesOf = (form, pattern) => [...form].filter(([name]) => pattern.test(name)).map(([, value]) => value);

/** `LaunchTemplateData.MetadataOptions.HttpTokens` and so on as an object. @param {URLSearchParams} form @param {string} prefix */
function nested(form, prefix) {
  /** @type {Record<string, any>} */
  const found = {};
  for (const [name, value] of form) {
    if (!name.startsWith(`${prefix}.`)) continue;
    const path = name.slice(prefix.length + 1).split(".");
    let at = found;
    for (const part of path.slice(0, -1)) at = at[part] ??= {};
    at[/** @type {string} */ (path.at(-1))] = /Limit$/.test(name) ? Number(value) : value;
  }
  return found;
}

/**
 * @param {{
 *   owner?: string,
 *   regions?: readonly string[],
 *   regionOf: (accountId: string, region: string) => Region,
 *   rolesOf?: (accountId: string) => { name: string, policy?: object }[],
 *   fault?: (asked: Asked) => Fault,
 *   pageSize?: number,
 *   onAsked?: (asked: Asked) => void,
 * }} options
 */
export async function startFleetService(options) {
  const { owner = "123456789012", regions = ["eu-central-1"], regionOf, rolesOf = () => [], fault, pageSize } = options;
  /** @type {Map<string, number>} */
  const calls = new Map();

  const server = createServer((request, response) => {
    /** @type {Buffer[]} */
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString("utf8");
      const [, key = "", region = "", service = ""] =
        /Credential=([^/]+)\/\d+\/([^/]+)\/([^/]+)\//.exec(request.headers.authorization ?? "") ?? [];
      const accountId = /^ASIA(\d{12})/.exec(key)?.[1] ?? owner;
      const target = String(request.headers["x-amz-target"] ?? "");
      const form = new URLSearchParams(target === "" ? body : "");
      const action = target === "" ? (form.get("Action") ?? "") : (target.split(".").at(-1) ?? "");
      calls.set(action, (calls.get(action) ?? 0) + 1);
      const asked = { accountId, region, action, body };
      options.onAsked?.(asked);
      const wrong = fault?.(asked);
      if (wrong === "hang-up") return void request.socket.destroy();
      if (wrong !== undefined) return fail(response, service, wrong.status, wrong.code);
      try {
        const answer = answerTo(action, accountId, region, form, body);
        if (answer === undefined) return fail(response, service, 400, "InvalidAction");
        response.setHeader("content-type", target === "" ? "text/xml" : "application/x-amz-json-1.0");
        response.end(answer);
      } catch (error) {
        const code = /** @type {{ code?: string }} */ (error).code ?? "InternalError";
        fail(response, service, code === "InternalError" ? 500 : 400, code);
      }
    });
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());

  /** @param {import("node:http").ServerResponse} response @param {string} service @param {number} status @param {string} code */
  function fail(response, service, status, code) {
    response.statusCode = status;
    if (service === "monitoring") {
      response.setHeader("content-type", "application/x-amz-json-1.0");
      return void response.end(JSON.stringify({ __type: code, message: `${code} of the stand-in` }));
    }
    const inner = `<Code>${code}</Code><Message>${code} of the stand-in</Message>`;
    response.end(
      service === "ec2"
        ? `<Response><Errors><Error>${inner}</Error></Errors><RequestID>1</RequestID></Response>`
        : `<ErrorResponse><Error><Type>Sender</Type>${inner}</Error><RequestId>1</RequestId></ErrorResponse>`,
    );
  }

  /** @template T @param {readonly T[]} all @param {URLSearchParams} form @param {string} size @param {string} token */
  function page(all, form, size, token) {
    const from = Number(form.get(token) ?? 0);
    const most = Math.min(Number(form.get(size) ?? 1_000), pageSize ?? 1_000);
    const items = all.slice(from, from + most);
    return { items, next: from + most < all.length ? String(from + most) : undefined };
  }

  /** @param {Template} template @param {number} number */
  const versionOf = (template, number) => {
    const version = template.versions[number - 1];
    if (version === undefined)
      throw Object.assign(new Error("no such version"), { code: "InvalidLaunchTemplateId.VersionNotFound" });
    return {
      launchTemplateId: template.id,
      launchTemplateName: template.name,
      versionNumber: number,
      versionDescription: version.description,
      defaultVersion: template.default === number,
      launchTemplateData: {
        ...lower(version.data ?? {}),
        ...(version.options !== undefined && { metadataOptions: lower(version.options) }),
      },
    };
  };

  /** @param {Region} here @param {URLSearchParams} form */
  function templateIn(here, form) {
    const found = here.templates.find(({ id }) => id === form.get("LaunchTemplateId"));
    if (found === undefined) throw Object.assign(new Error("none"), { code: "InvalidLaunchTemplateId.NotFound" });
    return found;
  }

  /** @param {string} action @param {string} accountId @param {string} region @param {URLSearchParams} form @param {string} body */
  function answerTo(action, accountId, region, form, body) {
    const ec2 = (/** @type {object} */ content) =>
      `<${action}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">${xml({ requestId: "1", ...content }, EC2_ITEM)}</${action}Response>`;
    const query = (/** @type {object} */ content) =>
      `<${action}Response><${action}Result>${xml(content, QUERY_ITEM)}</${action}Result><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></${action}Response>`;
    const here = regionOf(accountId, region);
    switch (action) {
      case "GetCallerIdentity":
        return query({ Account: accountId, Arn: `arn:aws:sts::${accountId}:assumed-role/x/y`, UserId: "AROA:y" });
      case "AssumeRole": {
        const account = /::(\d{12}):/.exec(form.get("RoleArn") ?? "")?.[1] ?? "";
        return query({
          Credentials: {
            AccessKeyId: `ASIA${account}0000`,
            SecretAccessKey: "stand-in",
            SessionToken: "stand-in",
            Expiration: new Date(Date.now() + HOUR).toISOString(),
          },
          AssumedRoleUser: { Arn: `${form.get("RoleArn")}/s`, AssumedRoleId: "AROA:s" },
        });
      }
      case "DescribeRegions":
        return ec2({ regionInfo: regions.map((regionName) => ({ regionName })) });
      case "GetAccountAuthorizationDetails":
        return query({
          IsTruncated: false,
          RoleDetailList: rolesOf(accountId).map(({ name, policy }) => ({
            RoleName: name,
            Arn: `arn:aws:iam::${accountId}:role/${name}`,
            InstanceProfileList: [{ InstanceProfileName: name }],
            RolePolicyList:
              policy === undefined
                ? []
                : [{ PolicyName: "inline", PolicyDocument: encodeURIComponent(JSON.stringify(policy)) }],
            AttachedManagedPolicies: [],
          })),
          Policies: [],
        });
      case "DescribeInstances": {
        const named = form.get("Filter.1.Name") === "instance-id";
        const wanted = new Set([
          ...(named ? valuesOf(form, /^Filter\.\d+\.Value\.\d+$/) : []),
          ...valuesOf(form, /^InstanceId\.\d+$/),
        ]);
        const all = wanted.size === 0 ? here.instances : here.instances.filter(({ id }) => wanted.has(id));
        const { items, next } = page(all, form, "MaxResults", "NextToken");
        return ec2({
          reservationSet: items.map(({ id, options: given, tags, state = "running", profile, launched, attached }) => ({
            reservationId: "r-0123456789abcdef0",
            instancesSet: [
              {
                instanceId: id,
                instanceState: { code: 16, name: state },
                metadataOptions: lower({ State: "applied", ...given }),
                ...(profile !== undefined && { iamInstanceProfile: { arn: profile, id: "AIPA" } }),
                tagSet: tagSet(tags),
                ...(launched !== undefined && { launchTime: launched }),
                ...(attached !== undefined && {
                  networkInterfaceSet: [{ attachment: { attachTime: attached, deviceIndex: 0 } }],
                }),
              },
            ],
          })),
          nextToken: next,
        });
      }
      case "ModifyInstanceMetadataOptions": {
        const instance = here.instances.find(({ id }) => id === form.get("InstanceId"));
        if (instance === undefined) throw Object.assign(new Error("none"), { code: "InvalidInstanceID.NotFound" });
        for (const name of ["HttpTokens", "HttpEndpoint", "HttpProtocolIpv6", "InstanceMetadataTags"])
          if (form.has(name)) instance.options[name] = form.get(name);
        if (form.has("HttpPutResponseHopLimit"))
          instance.options.HttpPutResponseHopLimit = Number(form.get("HttpPutResponseHopLimit"));
        return ec2({
          instanceId: instance.id,
          instanceMetadataOptions: lower({ State: "pending", ...instance.options }),
        });
      }
      case "GetInstanceMetadataDefaults":
        return ec2({ accountLevel: lower(here.defaults) });
      case "ModifyInstanceMetadataDefaults":
        for (const name of ["HttpTokens", "HttpEndpoint", "InstanceMetadataTags", "HttpPutResponseHopLimit"]) {
          const value = form.get(name);
          if (value === "no-preference" || value === "-1") delete here.defaults[name];
          else if (value !== null) here.defaults[name] = name === "HttpPutResponseHopLimit" ? Number(value) : value;
        }
        return ec2({ return: true });
      case "DescribeLaunchTemplates": {
        const { items, next } = page(here.templates, form, "MaxResults", "NextToken");
        return ec2({
          launchTemplates: items.map(({ id, name, versions, default: standard, tags }) => ({
            launchTemplateId: id,
            launchTemplateName: name,
            defaultVersionNumber: standard,
            latestVersionNumber: versions.length,
            tagSet: tagSet(tags),
          })),
          nextToken: next,
        });
      }
      case "DescribeLaunchTemplateVersions": {
        const versions = valuesOf(form, /^LaunchTemplateVersion\.\d+$/);
        const least = Number(form.get("MinVersion") ?? 0);
        const all = (form.has("LaunchTemplateId") ? [templateIn(here, form)] : here.templates).flatMap((template) => {
          const numbers = new Set(
            versions.map((each) =>
              each === "$Default" ? template.default : each === "$Latest" ? template.versions.length : Number(each),
            ),
          );
          const named =
            versions.length > 0
              ? [...numbers]
              : template.versions.map((_, index) => index + 1).filter((number) => number >= least);
          const there = named.filter((number) => template.versions[number - 1] !== undefined);
          return there.map((number) => versionOf(template, number));
        });
        const { items, next } = page(all, form, "MaxResults", "NextToken");
        return ec2({ launchTemplateVersionSet: items, nextToken: next });
      }
      case "CreateLaunchTemplateVersion": {
        const template = templateIn(here, form);
        const source = template.versions[Number(form.get("SourceVersion")) - 1];
        const { MetadataOptions: given, ...data } = nested(form, "LaunchTemplateData");
        template.versions.push({
          options: given ?? source?.options,
          data: { ...source?.data, ...data },
          description: form.get("VersionDescription") ?? undefined,
        });
        return ec2({ launchTemplateVersion: versionOf(template, template.versions.length) });
      }
      case "ModifyLaunchTemplate": {
        const template = templateIn(here, form);
        template.default = Number(form.get("SetDefaultVersion"));
        return ec2({ launchTemplate: { launchTemplateId: template.id, defaultVersionNumber: template.default } });
      }
      case "DescribeImages": {
        const { items, next } = page(here.images, form, "MaxResults", "NextToken");
        return ec2({ imagesSet: items.map(({ id, imdsSupport }) => ({ imageId: id, imdsSupport })), nextToken: next });
      }
      case "DescribeAutoScalingGroups": {
        const { items, next } = page(here.groups, form, "MaxRecords", "NextToken");
        return query({
          AutoScalingGroups: items.map(({ name, template, configuration }) => ({
            AutoScalingGroupName: name,
            LaunchConfigurationName: configuration,
            ...(template !== undefined && {
              LaunchTemplate: { LaunchTemplateId: template.id, Version: template.version },
            }),
          })),
          NextToken: next,
        });
      }
      case "DescribeLaunchConfigurations": {
        const { items, next } = page(here.configurations, form, "MaxRecords", "NextToken");
        return query({
          LaunchConfigurations: items.map(({ name, options: given }) => ({
            LaunchConfigurationName: name,
            MetadataOptions: given,
          })),
          NextToken: next,
        });
      }
      case "GetMetricData": {
        const input = JSON.parse(body);
        const byId = new Map(here.instances.map((instance) => [instance.id, instance]));
        const now = Date.now();
        return JSON.stringify({
          Messages: [],
          MetricDataResults: input.MetricDataQueries.map((/** @type {any} */ each) => {
            const { MetricName: name, Dimensions } = each.MetricStat.Metric;
            const instance = byId.get(Dimensions[0].Value);
            const points = (name === "MetadataNoToken" ? instance?.points : instance?.rejected) ?? [];
            const seen = points
              .map(([ago, value]) => /** @type {const} */ ([Math.floor((now - ago * HOUR) / HOUR) * HOUR, value]))
              .filter(([time]) => time >= input.StartTime * 1_000 && time < input.EndTime * 1_000);
            return {
              Id: each.Id,
              Label: name,
              StatusCode: "Complete",
              Timestamps: seen.map(([time]) => time / 1_000),
              Values: seen.map(([, value]) => value),
            };
          }),
        });
      }
      default:
        return undefined;
    }
  }

  return {
    url: `http://127.0.0.1:${port}`,
    calls,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
