/**
 * The Lambda function that keeps a region at version 2, as the text that is put into the bundle. It has nothing but what
 * the Node.js runtime of Lambda brings along, so that there is nothing to install.
 */

/** CommonJS for index.js. In the template of CloudFormation it is a part of the YAML. */
export const KEEP_FUNCTION = `"use strict";
// Requires IMDSv2 of instances that start, and once a day of all: not of those that have the exception tag, and not of
// those that called version 1 in the last days. Written by imds-guard fleet keep.
const { EC2Client, ModifyInstanceMetadataOptionsCommand, paginateDescribeInstances } = require("@aws-sdk/client-ec2");
const { CloudWatchClient, paginateGetMetricData } = require("@aws-sdk/client-cloudwatch");

const HOUR_MS = 3600000;
// GetMetricData takes so many queries.
const QUERIES = 500;
// What is left of the function's time is for the report.
const RESERVE_MS = 20000;

const ec2 = new EC2Client({});
const cloudwatch = new CloudWatchClient({});

function settings() {
  const { EXCEPTION_TAG = "IMDS=v1", DAYS = "14", MODE = "enforce" } = process.env;
  const at = EXCEPTION_TAG.indexOf("=");
  if (at < 1) throw new Error("EXCEPTION_TAG is no KEY=VALUE");
  if (MODE !== "enforce" && MODE !== "report") throw new Error("MODE is neither enforce nor report");
  const days = Number(DAYS);
  if (!(days >= 1 && days <= 455)) throw new Error("DAYS is not between 1 and 455");
  return { key: EXCEPTION_TAG.slice(0, at), value: EXCEPTION_TAG.slice(at + 1), days, enforce: MODE === "enforce" };
}

async function countsOf(ids, days) {
  const end = Math.ceil(Date.now() / HOUR_MS) * HOUR_MS;
  const counts = new Map();
  for (let from = 0; from < ids.length; from += QUERIES) {
    const part = ids.slice(from, from + QUERIES);
    const pages = paginateGetMetricData({ client: cloudwatch }, {
      StartTime: new Date(end - days * 24 * HOUR_MS),
      EndTime: new Date(end),
      MetricDataQueries: part.map((id, index) => ({
        Id: "m" + index,
        MetricStat: {
          Metric: { Namespace: "AWS/EC2", MetricName: "MetadataNoToken", Dimensions: [{ Name: "InstanceId", Value: id }] },
          Period: 3600,
          Stat: "Sum",
        },
      })),
    });
    for await (const { MetricDataResults = [] } of pages) {
      for (const { Id, Values = [], StatusCode } of MetricDataResults) {
        const id = part[Number(Id.slice(1))];
        const known = counts.get(id) || { points: 0, calls: 0, whole: true };
        for (const value of Values) {
          known.points += 1;
          known.calls += value;
        }
        if (StatusCode !== "Complete" && StatusCode !== "PartialData") known.whole = false;
        counts.set(id, known);
      }
    }
  }
  return counts;
}

// The first network interface of an instance is attached when it is launched, and never again.
function isNew(instance) {
  const first = (instance.NetworkInterfaces || []).find(({ Attachment }) => Attachment && Attachment.DeviceIndex === 0);
  if (!first || !first.Attachment.AttachTime || !instance.LaunchTime) return false;
  return Math.abs(instance.LaunchTime - first.Attachment.AttachTime) < HOUR_MS;
}

function judge(instance, { key, value }, counts, started) {
  const { HttpTokens = "optional", HttpEndpoint = "enabled" } = instance.MetadataOptions || {};
  if (HttpTokens === "required" || HttpEndpoint === "disabled") return { verdict: "fine" };
  if ((instance.Tags || []).some((tag) => tag.Key === key && tag.Value === value)) return { verdict: "excepted" };
  if (HttpTokens !== "optional") return { verdict: "unknown", reason: "HttpTokens is " + HttpTokens };
  const known = counts && counts.get(instance.InstanceId);
  if (!known || !known.whole) return { verdict: "unknown", reason: "CloudWatch could not be asked" };
  if (known.calls > 0) return { verdict: "used", calls: known.calls };
  if (known.points > 0) return { verdict: "safe" };
  if (started && isNew(instance)) return { verdict: "safe", reason: "new" };
  return { verdict: "unknown", reason: "no data point, which is not zero calls" };
}

async function keep(instances, chosen, started, totals) {
  const open = instances.filter(({ MetadataOptions: options = {} }) => options.HttpTokens !== "required");
  const counts = await countsOf(open.map(({ InstanceId }) => InstanceId), chosen.days).catch((error) => {
    console.error(JSON.stringify({ failed: "cloudwatch:GetMetricData", error: error.name }));
    return undefined;
  });
  for (const instance of instances) {
    const judged = judge(instance, chosen, counts, started);
    const record = { instanceId: instance.InstanceId, ...judged, enforced: false };
    if (judged.verdict === "safe" && chosen.enforce) {
      const { State, ...options } = instance.MetadataOptions || {};
      try {
        await ec2.send(
          new ModifyInstanceMetadataOptionsCommand({ InstanceId: instance.InstanceId, ...options, HttpTokens: "required" }),
        );
        record.enforced = true;
      } catch (error) {
        record.error = error.name;
      }
    }
    totals[judged.verdict] = (totals[judged.verdict] || 0) + 1;
    if (record.enforced) totals.enforced += 1;
    if (record.error) totals.failed += 1;
    if (judged.verdict !== "fine") console.log(JSON.stringify(record));
  }
}

exports.handler = async (event, context) => {
  const chosen = settings();
  const detail = (event && event.detail) || {};
  const started = event && event.source === "aws.ec2";
  const totals = { enforced: 0, failed: 0, whole: true };
  if (started && (detail.state !== "running" || typeof detail["instance-id"] !== "string")) return totals;
  const states = { Name: "instance-state-name", Values: ["pending", "running", "stopping", "stopped"] };
  const input = started ? { InstanceIds: [detail["instance-id"]] } : { Filters: [states], MaxResults: 500 };
  try {
    for await (const { Reservations = [] } of paginateDescribeInstances({ client: ec2 }, input)) {
      await keep(Reservations.flatMap(({ Instances = [] }) => Instances), chosen, started, totals);
      if (context && context.getRemainingTimeInMillis && context.getRemainingTimeInMillis() < RESERVE_MS) {
        totals.whole = false;
        break;
      }
    }
  } catch (error) {
    // It may be gone before anybody looks at it.
    if (error.name !== "InvalidInstanceID.NotFound") throw error;
  }
  console.log(JSON.stringify({ summary: totals }));
  return totals;
};
`;
