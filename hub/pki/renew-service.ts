import { permissionDenied } from "../../lib/errors.js";
import type { Handlers } from "../../lib/grpc/service.js";
import type { RecordedEvent } from "../../lib/watch/watch-log.js";
import { EventSeverity } from "../../proto/gen/zor/v1/event.js";
import type { RenewServiceService } from "../../proto/gen/zor/v1/join_service.js";
import type { Certificates } from "./certificates.js";
import { publicKeyOfCsr } from "./csr.js";
import { RenewalLimit } from "./renewal-limit.js";

/** Signs new keys for callers that hold a good certificate; identity and role stay what they are. */
export function renewHandlers(
  certificates: Certificates,
  record: (event: RecordedEvent) => void,
): Handlers<typeof RenewServiceService> {
  const limit = new RenewalLimit();
  return {
    renew: async (request, { caller }) => {
      if (caller.kind === "hub") throw permissionDenied("a hub's certificate is renewed by its own hub");
      const publicKey = await publicKeyOfCsr("csr", request.csr);
      limit.take(caller.identity);
      const { der, expireTime } = await certificates.issue(publicKey, caller);
      const { identity, kind, id } = caller;
      record({
        severity: EventSeverity.EVENT_SEVERITY_INFO,
        type: "identity.renewed",
        resource: kind === "host" ? `hosts/${id}` : identity,
        message: `${identity} has a new certificate, good until ${expireTime.toISOString()}`,
        caller: identity,
      });
      return { certificate: der, expireTime };
    },
  };
}
