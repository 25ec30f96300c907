import { EventEmitter, on } from "node:events";
import type { Server } from "@grpc/grpc-js";
import {
  type HealthCheckResponse,
  HealthService,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "../../proto/gen/grpc/health/v1/health.js";
import { notFound } from "../errors.js";
import { implementService, type ServiceOptions } from "./service.js";

/** The health of a server; begins as not serving. */
export interface Health {
  /** Sets the status of the server and all its services. */
  setServing(serving: boolean): void;
}

/** Adds the standard health service for the given services, fully qualified, and the server as a whole. */
export function addHealth(server: Server, services: readonly string[], options: ServiceOptions): Health {
  const known = new Set(["", ...services]);
  const changes = new EventEmitter().setMaxListeners(0);
  let current = ServingStatus.NOT_SERVING;
  const check = async (request: { readonly service: string }): Promise<HealthCheckResponse> => {
    if (!known.has(request.service)) throw notFound(request.service.slice(0, 200), "list the services with reflection");
    return { status: current };
  };
  const watch = async function* (
    request: { readonly service: string },
    context: { readonly signal: AbortSignal },
  ): AsyncIterable<HealthCheckResponse> {
    if (!known.has(request.service)) yield { status: ServingStatus.SERVICE_UNKNOWN };
    else yield { status: current };
    for await (const _ of on(changes, "change", { signal: context.signal })) {
      if (known.has(request.service)) yield { status: current };
    }
  };
  server.addService(HealthService, implementService(HealthService, { check, watch }, options));
  return {
    setServing: (serving) => {
      current = serving ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
      changes.emit("change");
    },
  };
}
