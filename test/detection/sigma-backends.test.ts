/** What goes into the folder of a back end. */
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import {
  backendNames,
  expressibleBy,
  ownPipelinesFor,
  pipelineNames,
  pipelineText,
} from "../../src/detection/sigma-backends.js";
import { CONVERSIONS } from "../../src/detection/sigma-conversions.js";
import { SIGMA_RULES } from "../../src/detection/sigma-rules.js";

const files = SIGMA_RULES.map(({ file }) => file);
const detections = files.filter((file) => !file.startsWith("correlation_"));

describe("expressibleBy", () => {
  it("leaves out for all back ends what any of them leaves out, products with log sources of their own aside", () => {
    const fits = expressibleBy({});
    expect(detections.filter((file) => !fits(file))).toEqual([]);
    expect(fits("correlation_zeek_imds_persistent_client")).toBe(false);
  });

  it("leaves out for one back end what it leaves out, whatever the number of a part", () => {
    expect(files.filter((file) => !expressibleBy({ backend: "splunk" })(file))).toEqual([]);
    const fits = expressibleBy({ backend: "datadog" });
    expect(fits("proxy_aws_foreign_account_signature")).toBe(false);
    expect(fits("proxy_aws_foreign_account_signature_2")).toBe(false);
    expect(fits("proxy_imds_request")).toBe(true);
  });

  it("leaves out for a pipeline what any back end with it leaves out", () => {
    expect(expressibleBy({ pipeline: "ecs" })("aws_cloudtrail_imdsv1_session")).toBe(false);
    expect(expressibleBy({ pipeline: "ecs" })("proxy_imds_request")).toBe(true);
  });

  it("refuses a pair that was not tried", () => {
    expect(() => expressibleBy({ backend: "loki", pipeline: "asim" })).toThrow(
      expect.objectContaining({
        code: "ERR_INVALID_ARG_VALUE",
        message: expect.stringContaining("loki_grafana_logfmt"),
      }),
    );
  });
});

describe("what was tried", () => {
  it("has every back end without a pipeline, and knows every rule that is left out", () => {
    for (const backend of backendNames())
      expect(CONVERSIONS.some((one) => one.backend === backend && one.pipeline === undefined)).toBe(true);
    const ofAccounts = /^(?:aws_|proxy_aws_|app_aws_|net_dns_aws_|zeek_ssl_aws_|correlation_(?:imds_then|vpce))/;
    for (const { without } of CONVERSIONS)
      for (const file of without) expect(files.includes(file) || ofAccounts.test(file), file).toBe(true);
  });

  it("has pipelines of ours that are YAML, and none of pySigma's", () => {
    expect([ownPipelinesFor("loki"), ownPipelinesFor("panther")]).toEqual([["loki"], []]);
    expect(pipelineNames().slice(0, 5)).toEqual(["asim", "cim", "ecs", "loki", "victorialogs"]);
    for (const name of ["asim", "cim", "ecs", "loki", "victorialogs"])
      expect(parse(pipelineText(name)!)).toMatchObject({ priority: 20, transformations: expect.any(Array) as unknown });
    expect(pipelineText("ecs_windows")).toBeUndefined();
  });
});
