import { z } from "zod";
import { samplerNames } from "./sampler.js";

const endpointForm = 'expected "http://HOST:4317", or "https://HOST:4317" for TLS';

/** Settings of traces, of hubs and agents alike. */
export const tracesSettings = {
  /** Collector that takes them by OTLP/gRPC; default: there are none. */
  tracesEndpoint: z.string().refine((text) => parseEndpoint(text) !== undefined, endpointForm),
  /** What the program is called in them. */
  tracesServiceName: z.string().regex(/^[\x21-\x7e]{1,128}$/, "expected 1 to 128 letters without spaces"),
  /** Which are recorded, in OpenTelemetry's words. */
  tracesSampler: z.enum(samplerNames),
  /** Share of them for samplers that take one. */
  tracesRatio: z.number().min(0).max(1),
  /** Authorities of the collector's certificate; default: those of the system. */
  tracesCaFile: z.string().regex(/^\/[^\0]*$/, "expected an absolute path"),
};

/** The same as a program has them. */
export interface TracesConfig {
  readonly tracesEndpoint?: string | undefined;
  readonly tracesServiceName?: string | undefined;
  readonly tracesSampler?: (typeof samplerNames)[number] | undefined;
  readonly tracesRatio?: number | undefined;
  readonly tracesCaFile?: string | undefined;
}

/** Address and security of a collector's URL; undefined: it is none. */
export function parseEndpoint(text: string): { readonly address: string; readonly isSecure: boolean } | undefined {
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return undefined;
  const { protocol, hostname, port, pathname, username, search } = new URL(text);
  if (hostname === "" || username !== "" || search !== "" || pathname.length > 1) return undefined;
  // A URL leaves out the port that is usual for its scheme.
  const usual = /:(80|443)\/?$/.exec(text)?.[1] ?? "4317";
  return { address: `${hostname}:${port === "" ? usual : port}`, isSecure: protocol === "https:" };
}
