import { status } from "@grpc/grpc-js";
import { ZorError } from "../../lib/errors.js";
import type { ReadyAgent } from "../fleet/session.js";

/**
 * An error of a call to an agent as callers understand it: they know hosts, not the connections of the hub. One of the connection
 * itself says which host did not answer, and how; what the agent said stays as it is.
 */
export function ofHost(error: unknown, { connection }: ReadyAgent, host: string): unknown {
  if (!(error instanceof ZorError) || error.resource !== connection.address) return error;
  const name = `hosts/${host}`;
  const { code, metadata } = error;
  const say = (reason: string, message: string): ZorError =>
    new ZorError({ reason, code, message, resource: name, metadata, cause: error });
  switch (code) {
    case status.UNAVAILABLE:
      return say(
        "HOST_LOST",
        `the agent of ${name} went away during the call (${error.message}): it may have been carried out or not; zor get hosts tells when it is back`,
      );
    case status.DEADLINE_EXCEEDED:
      return say(
        "HOST_SILENT",
        `the agent of ${name} did not answer in time (${error.message}); a change that was asked for may still happen; zor get hosts tells how it is`,
      );
    case status.UNIMPLEMENTED:
      return say(
        "HOST_OUTDATED",
        `the agent of ${name} does not know this call: it is of an older version; upgrade it`,
      );
    default:
      return error;
  }
}
