import { permissionDenied } from "../../lib/errors.js";
import type { Handlers } from "../../lib/grpc/service.js";
import type { RenewServiceService } from "../../proto/gen/zor/v1/join_service.js";
import type { Certificates } from "./certificates.js";
import { publicKeyOfCsr } from "./csr.js";
import { RenewalLimit } from "./renewal-limit.js";

/** Signs new keys for callers that hold a good certificate; identity and role stay what they are. */
export function renewHandlers(certificates: Certificates): Handlers<typeof RenewServiceService> {
  const limit = new RenewalLimit();
  return {
    renew: async (request, { caller }) => {
      if (caller.kind === "hub") throw permissionDenied("a hub's certificate is renewed by its own hub");
      const publicKey = await publicKeyOfCsr("csr", request.csr);
      limit.take(caller.identity);
      const { der, expireTime } = await certificates.issue(publicKey, caller);
      return { certificate: der, expireTime };
    },
  };
}
