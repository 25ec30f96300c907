import { randomUUID } from "node:crypto";
import { version } from "../program.js";
import { SpanExporter } from "./exporter.js";
import { createSampler } from "./sampler.js";
import { Tracer } from "./tracer.js";
import { parseEndpoint, type TracesConfig } from "./traces-config.js";

/** What a program has for its traces. */
export interface Traces {
  readonly tracer: Tracer;
  readonly exporter: SpanExporter;
}

/** Opens what a program is configured with; undefined: it makes no traces. @param onNews told of trouble with the collector, and of its end. */
export function openTraces(
  config: TracesConfig,
  serviceName: string,
  options: { readonly headers?: Readonly<Record<string, string>>; readonly onNews?: (message: string) => void } = {},
): Traces | undefined {
  const { tracesEndpoint, tracesServiceName = serviceName, tracesSampler, tracesRatio = 1, tracesCaFile } = config;
  const place = tracesEndpoint === undefined ? undefined : parseEndpoint(tracesEndpoint);
  if (place === undefined) return undefined;
  const exporter = new SpanExporter({
    resource: { serviceName: tracesServiceName, version, instance: randomUUID() },
    endpoint: { ...place, caFile: tracesCaFile, headers: options.headers ?? {} },
    ...(options.onNews === undefined ? {} : { onNews: options.onNews }),
  });
  return {
    tracer: new Tracer(createSampler(tracesSampler ?? "parentbased_always_on", tracesRatio), exporter),
    exporter,
  };
}
