import type { TraceParent } from "./trace-context.js";

/** Which traces are recorded, in OpenTelemetry's words (OTEL_TRACES_SAMPLER). */
export const samplerNames = [
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio",
  "always_on",
  "always_off",
  "traceidratio",
] as const;

export type SamplerName = (typeof samplerNames)[number];

/** Whether a trace is recorded that begins here, or that a parent was told of. */
export type Sampler = (traceId: string, parent: TraceParent | undefined) => boolean;

/** @param ratio share of the traces that are recorded, 0 to 1, of those samplers that take one. */
export function createSampler(name: SamplerName, ratio: number): Sampler {
  const own: Sampler = name.endsWith("always_on")
    ? () => true
    : name.endsWith("always_off")
      ? () => false
      : (traceId) => isWithin(traceId, ratio);
  if (!name.startsWith("parentbased_")) return own;
  return (traceId, parent) => parent?.isSampled ?? own(traceId, undefined);
}

/** The same for everybody who sees the trace: its last 14 digits are random (W3C Trace Context, level 2). */
function isWithin(traceId: string, ratio: number): boolean {
  return Number.parseInt(traceId.slice(-13), 16) < ratio * 16 ** 13;
}
