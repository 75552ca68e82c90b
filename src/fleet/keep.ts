/**
 * The bundle that keeps new instances at version 2: a Lambda function for a region, as CloudFormation and as Terraform,
 * and policies for the organization.
 */
import { instanceCredentialPolicies } from "../detection/policies.js";
import type { ExceptionTag } from "./instances.js";
import { tagText } from "./instances.js";
import { KEEP_FUNCTION } from "./keep-function.js";

/** One file of the bundle. */
export interface BundleFile {
  readonly path: string;
  readonly text: string;
}

/** What a bundle is made for. */
export interface KeepOptions {
  /** Of what is left alone. */
  readonly exceptionTag: ExceptionTag;
  /** Days in which a call of version 1 counts. */
  readonly days: number;
  /** `aws`, `aws-cn`, ... */
  readonly partition: string;
}

const NAME = "imds-guard-keep";
const RUNTIME = "nodejs22.x";
const TIMEOUT_SECONDS = 300;
const MEMORY_MIB = 256;

/** The files, in the order in which a person reads them. */
export function keepBundle(options: KeepOptions): readonly BundleFile[] {
  return [
    { path: "README.txt", text: readme(options) },
    { path: "cloudformation.yaml", text: cloudFormation(options) },
    { path: "main.tf", text: terraform(options) },
    { path: "index.js", text: KEEP_FUNCTION },
    { path: "declarative-policy.json", text: json(declarativePolicy()) },
    { path: "service-control-policy.json", text: json(serviceControlPolicy(options)) },
  ];
}

function readme({ exceptionTag, days }: KeepOptions): string {
  return `IMDSv2 stays required. This folder was written by imds-guard fleet keep.

cloudformation.yaml   a Lambda function for one account and region, with its role, rules and log
main.tf               the same, and the account's defaults, for Terraform; takes index.js from this folder
index.js              the function, for reading: it is in cloudformation.yaml as well
declarative-policy.json
                      for AWS Organizations (DECLARATIVE_POLICY_EC2): defaults of every account and region
service-control-policy.json
                      for AWS Organizations: no launch without required tokens, no change back to optional,
                      no use of credentials that version 1 gave out

What the function does: when an instance starts, and once a day for all, it requires tokens, unless the instance is
tagged ${tagText(exceptionTag)}, called version 1 in the last ${days} days, or nothing is known of it. A new instance has no history,
and is enforced at once. It writes a line of JSON for each instance that is not fine, and a summary. With MODE=report
it changes nothing.

Try it first: imds-guard fleet audit shows what would be enforced. The policies deny: attach them to one account first.

Account defaults, for each region, where neither Terraform nor a declarative policy sets them:
  aws ec2 modify-instance-metadata-defaults --http-tokens required --region REGION
`;
}

function json(value: object): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

/** AWS Organizations, "Declarative policy syntax and examples": everything but the tokens is left to the accounts. */
function declarativePolicy(): object {
  return {
    ec2_attributes: {
      instance_metadata_defaults: {
        http_tokens: { "@@assign": "required" },
        http_put_response_hop_limit: { "@@assign": "-1" },
        http_endpoint: { "@@assign": "no_preference" },
        instance_metadata_tags: { "@@assign": "no_preference" },
      },
      exception_message: { "@@assign": "IMDSv2 is required by the organization." },
    },
  };
}

/** EC2 User Guide, "Example policies: work with instance metadata". What is excepted by its tag keeps what it has. */
function serviceControlPolicy({ exceptionTag, partition }: KeepOptions): object {
  const { key, value } = exceptionTag;
  const ofCredentials = instanceCredentialPolicies()
    .filter(({ kind }) => kind === "service-control-policy")
    .flatMap(({ document }) => document.Statement.filter(({ Sid }) => Sid === "NoImdsV1Credentials"));
  return {
    Version: "2012-10-17",
    Statement: [
      {
        Sid: "LaunchWithImdsV2",
        Effect: "Deny",
        Action: "ec2:RunInstances",
        Resource: `arn:${partition}:ec2:*:*:instance/*`,
        Condition: {
          StringNotEquals: { "ec2:MetadataHttpTokens": "required", [`aws:RequestTag/${key}`]: value },
        },
      },
      {
        Sid: "StayWithImdsV2",
        Effect: "Deny",
        Action: "ec2:ModifyInstanceMetadataOptions",
        Resource: `arn:${partition}:ec2:*:*:instance/*`,
        Condition: {
          StringEquals: { "ec2:Attribute/HttpTokens": "optional" },
          StringNotEquals: { [`aws:ResourceTag/${key}`]: value },
        },
      },
      ...ofCredentials,
    ],
  };
}

/** A text in single quotes of YAML. */
function yaml(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function cloudFormation({ exceptionTag, days }: KeepOptions): string {
  const { key, value } = exceptionTag;
  const code = KEEP_FUNCTION.trimEnd()
    .split("\n")
    .map((line) => (line === "" ? "" : `          ${line}`))
    .join("\n");
  return `AWSTemplateFormatVersion: '2010-09-09'
Description: Keeps the instances of this account and region at IMDSv2 (imds-guard fleet keep)

Parameters:
  Mode:
    Type: String
    Default: enforce
    AllowedValues: [enforce, report]
    Description: report changes nothing
  Days:
    Type: Number
    Default: ${days}
    MinValue: 1
    MaxValue: 455
    Description: Days in which a call of version 1 keeps an instance from being enforced
  LogRetentionDays:
    Type: Number
    Default: 365
    AllowedValues: [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1827, 3653]

Resources:
  Log:
    Type: AWS::Logs::LogGroup
    UpdateReplacePolicy: Retain
    DeletionPolicy: Retain
    Properties:
      RetentionInDays: !Ref LogRetentionDays

  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: '2012-10-17'
        Statement:
          - Effect: Allow
            Principal:
              Service: lambda.amazonaws.com
            Action: sts:AssumeRole
      Policies:
        - PolicyName: keep
          PolicyDocument:
            Version: '2012-10-17'
            Statement:
              - Sid: Look
                Effect: Allow
                Action:
                  - ec2:DescribeInstances
                  - cloudwatch:GetMetricData
                Resource: '*'
                Condition:
                  StringEquals:
                    aws:RequestedRegion: !Ref AWS::Region
              - Sid: Enforce
                Effect: Allow
                Action: ec2:ModifyInstanceMetadataOptions
                Resource: !Sub arn:\${AWS::Partition}:ec2:\${AWS::Region}:\${AWS::AccountId}:instance/*
                Condition:
                  StringNotEquals:
                    ${yaml(`aws:ResourceTag/${key}`)}: ${yaml(value)}
              - Sid: Report
                Effect: Allow
                Action:
                  - logs:CreateLogStream
                  - logs:PutLogEvents
                Resource: !GetAtt Log.Arn

  Function:
    Type: AWS::Lambda::Function
    Properties:
      Description: Requires IMDSv2 of instances that start, and once a day of all
      Runtime: ${RUNTIME}
      Handler: index.handler
      Timeout: ${TIMEOUT_SECONDS}
      MemorySize: ${MEMORY_MIB}
      Role: !GetAtt Role.Arn
      LoggingConfig:
        LogGroup: !Ref Log
      Environment:
        Variables:
          MODE: !Ref Mode
          DAYS: !Ref Days
          EXCEPTION_TAG: ${yaml(tagText(exceptionTag))}
      Code:
        ZipFile: |
${code}

  Running:
    Type: AWS::Events::Rule
    Properties:
      Description: An instance has started
      EventPattern:
        source: [aws.ec2]
        detail-type: [EC2 Instance State-change Notification]
        detail:
          state: [running]
      Targets:
        - Id: keep
          Arn: !GetAtt Function.Arn

  Daily:
    Type: AWS::Events::Rule
    Properties:
      Description: All instances, once a day
      ScheduleExpression: rate(1 day)
      Targets:
        - Id: keep
          Arn: !GetAtt Function.Arn

  RunningMayInvoke:
    Type: AWS::Lambda::Permission
    Properties:
      Action: lambda:InvokeFunction
      FunctionName: !Ref Function
      Principal: events.amazonaws.com
      SourceArn: !GetAtt Running.Arn

  DailyMayInvoke:
    Type: AWS::Lambda::Permission
    Properties:
      Action: lambda:InvokeFunction
      FunctionName: !Ref Function
      Principal: events.amazonaws.com
      SourceArn: !GetAtt Daily.Arn

Outputs:
  FunctionArn:
    Value: !GetAtt Function.Arn
  LogGroup:
    Value: !Ref Log
`;
}

/** A text in double quotes of HCL. */
function hcl(text: string): string {
  // Doubled; in a replacement that is a text two dollars would stand for one.
  return JSON.stringify(text).replace(/[$%](?=\{)/g, (sign) => sign + sign);
}

function terraform({ exceptionTag, days }: KeepOptions): string {
  const { key, value } = exceptionTag;
  return `# Keeps the instances of this account and region at IMDSv2 (imds-guard fleet keep).
terraform {
  required_version = ">= 1.3"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.45"
    }
    archive = {
      source  = "hashicorp/archive"
      version = ">= 2.2"
    }
  }
}

variable "mode" {
  description = "enforce, or report, which changes nothing"
  type        = string
  default     = "enforce"
  validation {
    condition     = contains(["enforce", "report"], var.mode)
    error_message = "mode is enforce or report."
  }
}

variable "days" {
  description = "Days in which a call of version 1 keeps an instance from being enforced"
  type        = number
  default     = ${days}
  validation {
    condition     = var.days >= 1 && var.days <= 455
    error_message = "days is between 1 and 455."
  }
}

variable "account_defaults" {
  description = "Whether the defaults of the account in this region require tokens; a declarative policy of the organization may do so instead"
  type        = bool
  default     = true
}

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

resource "aws_ec2_instance_metadata_defaults" "this" {
  count       = var.account_defaults ? 1 : 0
  http_tokens = "required"
}

data "archive_file" "function" {
  type        = "zip"
  source_file = "\${path.module}/index.js"
  output_path = "\${path.module}/function.zip"
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${NAME}"
  retention_in_days = 365
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "keep" {
  statement {
    sid       = "Look"
    actions   = ["ec2:DescribeInstances", "cloudwatch:GetMetricData"]
    resources = ["*"]
    condition {
      test     = "StringEquals"
      variable = "aws:RequestedRegion"
      values   = [data.aws_region.this.name]
    }
  }
  statement {
    sid       = "Enforce"
    actions   = ["ec2:ModifyInstanceMetadataOptions"]
    resources = ["arn:\${data.aws_partition.this.partition}:ec2:\${data.aws_region.this.name}:\${data.aws_caller_identity.this.account_id}:instance/*"]
    condition {
      test     = "StringNotEquals"
      variable = ${hcl(`aws:ResourceTag/${key}`)}
      values   = [${hcl(value)}]
    }
  }
  statement {
    sid       = "Report"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["\${aws_cloudwatch_log_group.this.arn}:*"]
  }
}

resource "aws_iam_role" "this" {
  name_prefix        = "${NAME}-"
  assume_role_policy = data.aws_iam_policy_document.assume.json
}

resource "aws_iam_role_policy" "this" {
  name   = "keep"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.keep.json
}

resource "aws_lambda_function" "this" {
  function_name    = "${NAME}"
  description      = "Requires IMDSv2 of instances that start, and once a day of all"
  runtime          = "${RUNTIME}"
  handler          = "index.handler"
  timeout          = ${TIMEOUT_SECONDS}
  memory_size      = ${MEMORY_MIB}
  role             = aws_iam_role.this.arn
  filename         = data.archive_file.function.output_path
  source_code_hash = data.archive_file.function.output_base64sha256
  environment {
    variables = {
      MODE          = var.mode
      DAYS          = tostring(var.days)
      EXCEPTION_TAG = ${hcl(tagText(exceptionTag))}
    }
  }
  depends_on = [aws_cloudwatch_log_group.this, aws_iam_role_policy.this]
}

resource "aws_cloudwatch_event_rule" "running" {
  name_prefix = "${NAME}-running-"
  description = "An instance has started"
  event_pattern = jsonencode({
    source      = ["aws.ec2"]
    detail-type = ["EC2 Instance State-change Notification"]
    detail      = { state = ["running"] }
  })
}

resource "aws_cloudwatch_event_rule" "daily" {
  name_prefix         = "${NAME}-daily-"
  description         = "All instances, once a day"
  schedule_expression = "rate(1 day)"
}

resource "aws_cloudwatch_event_target" "running" {
  rule = aws_cloudwatch_event_rule.running.name
  arn  = aws_lambda_function.this.arn
}

resource "aws_cloudwatch_event_target" "daily" {
  rule = aws_cloudwatch_event_rule.daily.name
  arn  = aws_lambda_function.this.arn
}

resource "aws_lambda_permission" "running" {
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this.function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.running.arn
}

resource "aws_lambda_permission" "daily" {
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this.function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.daily.arn
}

output "function_arn" {
  value = aws_lambda_function.this.arn
}
`;
}
