/** Which rules the back ends of pySigma take, and pipelines of ours for those that name fields in a way of their own. */
import { invalidArgument } from "../base/errors.js";
import { CONVERSIONS, PIPELINES } from "./sigma-conversions.js";

/** The conversions of one back end, of one pipeline, or of one with the other; at least one. */
export interface Target {
  readonly backend?: string | undefined;
  readonly pipeline?: string | undefined;
}

/** Every back end by its name, once. */
export function backendNames(): readonly string[] {
  return [...new Set(CONVERSIONS.map(({ backend }) => backend))];
}

/** Every pipeline by its name, ours first. */
export function pipelineNames(): readonly string[] {
  return [...new Set([...Object.keys(PIPELINES), ...CONVERSIONS.flatMap(({ pipeline }) => pipeline ?? [])])];
}

/** The pipelines of our own for a back end, by name. */
export function ownPipelinesFor(backend: string): readonly string[] {
  return CONVERSIONS.flatMap(({ backend: one, pipeline }) =>
    one === backend && pipeline !== undefined && Object.hasOwn(PIPELINES, pipeline) ? [pipeline] : [],
  );
}

/** The text of one of our own pipelines; pySigma has the others itself. */
export function pipelineText(name: string): string | undefined {
  return Object.hasOwn(PIPELINES, name) ? PIPELINES[name] : undefined;
}

/**
 * Tells of a rule whether it goes into the folder of a target: whether all its conversions express it. Without a target
 * all back ends without a pipeline count that are not limited to certain log sources.
 *
 * @throws TypeError with code `ERR_INVALID_ARG_VALUE` for a pair of back end and pipeline that was not tried
 */
export function expressibleBy({ backend, pipeline }: Target): (file: string) => boolean {
  const all = backend === undefined && pipeline === undefined;
  const conversions = CONVERSIONS.filter((conversion) =>
    all
      ? conversion.pipeline === undefined && conversion.limited !== true
      : (backend === undefined || conversion.backend === backend) &&
        (pipeline === undefined ? conversion.pipeline === undefined : conversion.pipeline === pipeline),
  );
  if (conversions.length === 0 && !all) {
    const fitting = CONVERSIONS.filter((conversion) => conversion.backend === backend);
    throw invalidArgument("pipeline", pipeline, fitting.flatMap((conversion) => conversion.pipeline ?? []).join(", "));
  }
  const without = new Set(conversions.flatMap((conversion) => conversion.without));
  return (file) => !without.has(withoutPart(file));
}

/** Rules that were split have a number behind their name. */
function withoutPart(file: string): string {
  return file.replace(/_\d+$/, "");
}
