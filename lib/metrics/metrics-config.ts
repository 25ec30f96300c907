import { z } from "zod";
import { addressForm, parseHostPort } from "../socket-address.js";

const address = z.string().refine((text) => parseHostPort(text) !== undefined, `expected ${addressForm}`);

/** Settings of metrics, of hubs and agents alike. */
export const metricsSettings = {
  /** Addresses of /metrics; empty: it is not served. */
  metricsListen: z.array(address),
  /** File with a token that readers may show instead of a client certificate. */
  metricsTokenFile: z.string().regex(/^\/[^\0]*$/, "expected an absolute path"),
};
