import { status } from "@grpc/grpc-js";
import type { Caller } from "../auth/caller.js";
import { authorize } from "../auth/policy.js";
import { ZorError } from "../errors.js";
import type { ServiceOptions } from "./service.js";

/** Most serial numbers a hub tells its agents; an agent keeps no more. */
export const maxRevokedSerials = 10_000;

/** Which certificates are revoked, as a hub or an agent knows it. */
export interface Revocations {
  /** @param serial upper-case hexadecimal. */
  readonly isRevoked: (serial: string) => boolean;
  /** Calls back after each change until the returned function is called. */
  readonly onRevocation: (listener: () => void) => () => void;
}

/** How a listener treats calls: by role, refusing those of revoked certificates and ending what such have open. */
export function refuseRevoked(revocations: Revocations): Required<Pick<ServiceOptions, "authorize" | "onCall">> {
  const isRevoked = ({ serial }: Caller): boolean => serial !== undefined && revocations.isRevoked(serial);
  return {
    authorize: (caller, method) => {
      if (isRevoked(caller)) throw revoked(caller);
      authorize(caller, method);
    },
    onCall: ({ caller }, end) =>
      revocations.onRevocation(() => {
        if (isRevoked(caller)) end(revoked(caller));
      }),
  };
}

function revoked({ identity }: Caller): ZorError {
  return new ZorError({
    reason: "CERTIFICATE_REVOKED",
    code: status.UNAUTHENTICATED,
    message: `this certificate of ${identity} has been revoked; ask an admin for a token and join again`,
  });
}
