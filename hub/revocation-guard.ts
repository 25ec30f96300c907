import { status } from "@grpc/grpc-js";
import { ZorError } from "../lib/errors.js";
import type { CallAudit } from "../lib/events/call-audit.js";
import { refuseRevoked } from "../lib/grpc/revocation.js";
import type { ServiceOptions } from "../lib/grpc/service.js";
import type { Log } from "../lib/log.js";
import type { Tracer } from "../lib/traces/tracer.js";
import type { Certificates } from "./pki/certificates.js";

/** What is told of calls. */
interface ToldCalls {
  readonly audit: CallAudit;
  /** Default: no call is traced. */
  readonly tracer?: Tracer | undefined;
}

/** How the main listener treats calls: by role, refusing revoked certificates and ending what they have open. */
export function guardedService(certificates: Certificates, log: Log, { audit, tracer }: ToldCalls): ServiceOptions {
  return {
    tracer,
    ...refuseRevoked({
      isRevoked: (serial) => certificates.isRevoked(serial),
      onRevocation: (listener) => certificates.onRevocation(listener),
    }),
    onUntold: (call) => audit.untold(call),
    onError: (error, { method, caller, isPassedOn }) => {
      if (!isPassedOn) audit.refusals.note({ caller: caller?.identity ?? "", error });
      const known = error instanceof ZorError && error.code !== status.INTERNAL;
      const text = known ? { reason: error.reason } : { err: error };
      log[known ? "debug" : "error"]({ ...text, method, caller: caller?.identity }, "call failed");
    },
  };
}
