import { invalidArgument } from "../../lib/errors.js";
import { quote } from "../../lib/names.js";
import type { Traces } from "../../lib/traces/traces.js";

type Environment = Readonly<Record<string, string | undefined>>;

/** At the end of a command its spans have so long to get away. */
const flushMs = 1000;

/**
 * Runs a command as a trace of its own, when OpenTelemetry's variables name a collector (OTEL_EXPORTER_OTLP_ENDPOINT); else it just runs.
 * What goes wrong with the collector is nobody's trouble here. @throws {ZorError} INVALID_ARGUMENT for variables that cannot be understood.
 */
export async function traced(env: Environment, name: string, run: () => Promise<number>): Promise<number> {
  const traces = await open(env);
  if (traces === undefined) return run();
  const span = traces.tracer.begin({ name, kind: "internal" }, undefined);
  try {
    return await span.during(async () => {
      const code = await run();
      span.set("process.exit.code", code);
      if (code !== 0) span.fail(`exit code ${code}`);
      return code;
    });
  } finally {
    await traces.exporter.close(flushMs);
  }
}

async function open(env: Environment): Promise<Traces | undefined> {
  const endpoint =
    readVariable(env, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") ?? readVariable(env, "OTEL_EXPORTER_OTLP_ENDPOINT");
  if (endpoint === undefined || readVariable(env, "OTEL_SDK_DISABLED")?.toLowerCase() === "true") return undefined;
  if (readVariable(env, "OTEL_TRACES_EXPORTER") === "none") return undefined;
  // Loaded only where it is wanted: every command would wait for it.
  const { openTraces } = await import("../../lib/traces/traces.js");
  const { tracesSettings } = await import("../../lib/traces/traces-config.js");
  const read = <Value>(
    variable: string,
    schema: { safeParse(text: unknown): Parsed<Value> },
    value: unknown,
  ): Value => {
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    const why = parsed.error.issues.map(({ message }) => message).join("; ");
    throw invalidArgument(variable, `${quote(env[variable] ?? "")} cannot be used: ${why}`);
  };
  const optional = <Value>(
    variable: string,
    schema: { safeParse(text: unknown): Parsed<Value> },
  ): Value | undefined => {
    const text = readVariable(env, variable);
    return text === undefined ? undefined : read(variable, schema, text);
  };
  const ratio = readVariable(env, "OTEL_TRACES_SAMPLER_ARG");
  return openTraces(
    {
      tracesEndpoint: read("OTEL_EXPORTER_OTLP_ENDPOINT", tracesSettings.tracesEndpoint, endpoint),
      tracesServiceName: optional("OTEL_SERVICE_NAME", tracesSettings.tracesServiceName),
      tracesSampler: optional("OTEL_TRACES_SAMPLER", tracesSettings.tracesSampler),
      tracesCaFile: optional("OTEL_EXPORTER_OTLP_CERTIFICATE", tracesSettings.tracesCaFile),
      ...(ratio === undefined
        ? {}
        : { tracesRatio: read("OTEL_TRACES_SAMPLER_ARG", tracesSettings.tracesRatio, Number(ratio)) }),
    },
    "zor",
    { headers: headersOf(readVariable(env, "OTEL_EXPORTER_OTLP_HEADERS") ?? "") },
  );
}

type Parsed<Value> =
  | { readonly success: true; readonly data: Value }
  | { readonly success: false; readonly error: { readonly issues: readonly { readonly message: string }[] } };

/** An empty variable counts as none, as OpenTelemetry has it. */
function readVariable(env: Environment, name: string): string | undefined {
  const value = env[name]?.trim();
  return value === "" ? undefined : value;
}

/** "key=value,key=value", values percent-encoded. @throws {ZorError} INVALID_ARGUMENT */
function headersOf(text: string): Record<string, string> {
  const pairs = text.split(",").filter((pair) => pair.trim() !== "");
  return Object.fromEntries(
    pairs.map((pair) => {
      const [, key = "", value = ""] = /^\s*([A-Za-z0-9_.-]+)\s*=\s*([\x20-\x7e]*?)\s*$/.exec(pair) ?? [];
      try {
        if (key !== "") return [key.toLowerCase(), decodeURIComponent(value)];
      } catch {
        // Told below: it is no percent-encoding.
      }
      throw invalidArgument(
        "OTEL_EXPORTER_OTLP_HEADERS",
        'it must be "key=value,key=value", with values percent-encoded',
      );
    }),
  );
}
