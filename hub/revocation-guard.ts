import { status } from "@grpc/grpc-js";
import type { Caller } from "../lib/auth/caller.js";
import { authorize } from "../lib/auth/policy.js";
import { ZorError } from "../lib/errors.js";
import type { ServiceOptions } from "../lib/grpc/service.js";
import type { Log } from "../lib/log.js";
import type { Certificates } from "./pki/certificates.js";

/** How the main listener treats calls: by role, refusing revoked certificates and ending what they have open. */
export function guardedService(certificates: Certificates, log: Log): ServiceOptions {
  const isRevoked = ({ serial }: Caller): boolean => serial !== undefined && certificates.isRevoked(serial);
  return {
    authorize: (caller, method) => {
      if (isRevoked(caller)) throw revoked(caller);
      authorize(caller, method);
    },
    onCall: ({ caller }, end) =>
      certificates.onRevocation(() => {
        if (isRevoked(caller)) end(revoked(caller));
      }),
    onError: (error, { method, caller }) => {
      const known = error instanceof ZorError && error.code !== status.INTERNAL;
      const text = known ? { reason: error.reason } : { err: error };
      log[known ? "debug" : "error"]({ ...text, method, caller: caller?.identity }, "call failed");
    },
  };
}

function revoked({ identity }: Caller): ZorError {
  return new ZorError({
    reason: "CERTIFICATE_REVOKED",
    code: status.UNAUTHENTICATED,
    message: `this certificate of ${identity} has been revoked; ask an admin for a token and join again`,
  });
}
