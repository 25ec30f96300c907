import type { Caller } from "../../../lib/auth/caller.js";
import { authorize } from "../../../lib/auth/policy.js";
import { invalidArgument } from "../../../lib/errors.js";
import { type AnyMethod, allServices } from "../../../lib/kinds/codecs.js";
import { findRule, leavesEvent, type MethodRule } from "../../../lib/kinds/kinds.js";
import { parseName, quote } from "../../../lib/names.js";
import { WaveSpec } from "../../../proto/gen/zor/v1/wave.js";
import { batchPauseMs } from "./budget.js";

const maxNames = 1000;
const maxRequestBytes = 64 * 1024;
const longestPauseMs = 60 * 60_000;
const [usualParallel, mostParallel] = [8, 100];

/** A wave that was checked. */
export interface CheckedWave {
  /** With its defaults. */
  readonly spec: WaveSpec;
  readonly method: AnyMethod;
}

/** @throws {ZorError} INVALID_ARGUMENT that names the field, PERMISSION_DENIED. */
export function checkWave(wanted: WaveSpec | undefined, caller: Caller): CheckedWave {
  const spec = WaveSpec.fromPartial({ ...wanted, maxParallel: wanted?.maxParallel || usualParallel });
  const { method } = methodOf(spec.method);
  authorize(caller, method.path);
  const { names, maxParallel, canary, maxFailures } = spec;
  if (names.length === 0 || names.length > maxNames) {
    throw invalidArgument("spec.names", `name 1 to ${maxNames} resources, not ${names.length}`);
  }
  const seen = new Set<string>();
  const twice = names.find((name) => seen.size === seen.add(name).size);
  if (twice !== undefined) throw invalidArgument("spec.names", `${quote(twice)} is there twice`);
  for (const name of names) parseName("spec.names", name);
  bound("spec.max_parallel", maxParallel, [1, mostParallel]);
  bound("spec.canary", canary, [0, names.length]);
  bound("spec.max_failures", maxFailures, [0, names.length]);
  checkBatches(spec);
  requestOf({ spec, index: 0, requestId: "" });
  return { spec, method };
}

function checkBatches(spec: WaveSpec): void {
  const { names, maxFailures, maxFailuresPercent, batchSize, canary, pauseAfterBatch } = spec;
  bound("spec.max_failures_percent", maxFailuresPercent, [0, 100]);
  if (maxFailures > 0 && maxFailuresPercent > 0)
    throw invalidArgument("spec.max_failures_percent", "cannot be given together with max_failures");
  bound("spec.batch_size", batchSize, [0, names.length]);
  const pauseMs = batchPauseMs(spec);
  if (!(pauseMs >= 0 && pauseMs <= longestPauseMs)) throw invalidArgument("spec.batch_pause", "must be 0 to 1 h");
  const [asked] = [...(pauseMs > 0 ? ["batch_pause"] : []), ...(pauseAfterBatch ? ["pause_after_batch"] : [])];
  if (asked !== undefined && batchSize === 0 && canary === 0)
    throw invalidArgument(`spec.${asked}`, "needs batch_size or canary: without them there is one batch");
  if (pauseMs > 0 && pauseAfterBatch)
    throw invalidArgument("spec.batch_pause", "cannot be given together with pause_after_batch");
}

/** The request for one of the resources. @throws {ZorError} INVALID_ARGUMENT when `spec.request` is none of the method. */
export function requestOf(item: {
  readonly spec: WaveSpec;
  readonly index: number;
  readonly requestId: string;
}): object {
  const { spec, index, requestId } = item;
  const { method, rule } = methodOf(spec.method);
  if (spec.request.length > maxRequestBytes) {
    throw invalidArgument("spec.request", `has ${spec.request.length} bytes; the most are ${maxRequestBytes}`);
  }
  let request: Record<string, unknown>;
  try {
    // A message of ts-proto is a plain object with its fields as properties.
    request = method.requestDeserialize(Buffer.from(spec.request)) as Record<string, unknown>;
  } catch {
    throw invalidArgument("spec.request", `is no request of ${spec.method}`);
  }
  const path = rule.route
    .split(".")
    .map((part) => part.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()));
  let at: Record<string, unknown> = request;
  for (const part of path.slice(0, -1)) {
    const next = at[part];
    if (typeof next !== "object" || next === null) throw invalidArgument("spec.request", `must have ${part}`);
    at = next as Record<string, unknown>;
  }
  at[path.at(-1) ?? ""] = spec.names[index];
  return Object.assign(request, { requestId });
}

/** @throws {ZorError} INVALID_ARGUMENT unless a wave can do it. */
export function methodOf(name: string): { readonly method: AnyMethod; readonly rule: MethodRule } {
  const path = `/${name}`;
  const methods = [...allServices()].flatMap(([, service]) => Object.values(service));
  const method = methods.find((each) => each.path === path);
  const rule = findRule(path);
  if (method === undefined || rule === undefined) {
    throw invalidArgument(
      "spec.method",
      `${quote(name)} is no method; name one such as "zor.v1.InstanceService/StartInstance"`,
    );
  }
  const isOne = !method.requestStream && !method.responseStream && rule.route !== "";
  if (!isOne || rule.access === "open" || rule.access === "identified" || !leavesEvent(rule)) {
    throw invalidArgument("spec.method", `${quote(name)} does not change a resource by one request`);
  }
  return { method, rule };
}

function bound(field: string, value: number, [least, most]: readonly [number, number]): void {
  if (value < least || value > most) throw invalidArgument(field, `must be ${least} to ${most}, not ${value}`);
}
