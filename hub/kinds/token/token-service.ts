import { invalidArgument, notFound } from "../../../lib/errors.js";
import type { Handlers } from "../../../lib/grpc/service.js";
import { isId, parseId, quote } from "../../../lib/names.js";
import { type CreateTokenRequest, Role, TokenServiceService } from "../../../proto/gen/zor/v1/token_service.js";
import type { Fleet } from "../../fleet/fleet.js";
import { hostNotFound } from "../../fleet/host-record.js";
import { mintToken, parseTtlMs, planTokenRemoval, type TokenSubject } from "../../join/tokens.js";
import { mutate } from "../../kit/mutate.js";
import type { StoredRequests } from "../../kit/requests.js";
import type { Certificates } from "../../pki/certificates.js";
import type { RelayTickets } from "../../relay/relay-tickets.js";
import type { Store } from "../../store/store.js";

/** What the token service works with. */
export interface TokenServiceOptions {
  readonly fleet: Fleet;
  readonly store: Store;
  readonly certificates: Certificates;
  readonly relayTickets: RelayTickets;
  readonly requests: StoredRequests;
  /** Calls of CreateToken, whose answer holds a token. */
  readonly tokenRequests: StoredRequests;
  readonly formatToken: (secret: Buffer) => string;
}

const service = TokenServiceService;

/** Issues join tokens and revokes identities; for admins. */
export function tokenHandlers(options: TokenServiceOptions): Handlers<typeof TokenServiceService> {
  const { fleet, store, certificates } = options;
  return {
    createToken: async (request, context) =>
      mutate(
        { store, requests: options.tokenRequests, method: service.createToken, request, context },
        async (commit) => {
          const subject = parseSubject(request);
          if (subject.kind === "host" && fleet.find(subject.id) === undefined)
            throw hostNotFound(`hosts/${subject.id}`);
          const token = mintToken(subject, parseTtlMs("ttl", request.ttl), new Date());
          return commit([token.change], { token: options.formatToken(token.secret), expireTime: token.expireTime });
        },
      ),

    revokeIdentity: async (request, context) =>
      mutate(
        { store, requests: options.requests, method: service.revokeIdentity, request, context },
        async (commit) => {
          const { kind, id } = parseIdentity(request.identity);
          const { serials, changes } = await certificates.planRevocation(request.identity);
          const tokens = await planTokenRemoval(store, kind, id);
          if (serials.length === 0 && tokens.length === 0) {
            throw notFound(request.identity, "it holds no certificate and no token of this hub");
          }
          const relayed = kind === "host" ? options.relayTickets.planRevocation(id) : undefined;
          const answer = await commit([...changes, ...tokens, ...(relayed === undefined ? [] : [relayed.change])], {});
          relayed?.apply();
          certificates.revoked(serials);
          // Also looks again at who may use the relay.
          if (kind === "host") fleet.reconnect(id);
          return answer;
        },
      ),
  };
}

function parseSubject({ subject, role }: CreateTokenRequest): TokenSubject {
  switch (subject?.$case) {
    case "hostId":
      return { kind: "host", id: parseId("host_id", subject.value), role: Role.ROLE_UNSPECIFIED };
    case "userId":
      return { kind: "user", id: parseId("user_id", subject.value), role: parseRole(role) };
    case "serviceId":
      return { kind: "service", id: parseId("service_id", subject.value), role: parseRole(role) };
    case undefined:
      throw invalidArgument("subject", "say who may join: host_id, user_id or service_id");
  }
}

function parseRole(role: Role): Role {
  if (role === Role.ROLE_VIEWER || role === Role.ROLE_OPERATOR || role === Role.ROLE_ADMIN) return role;
  throw invalidArgument("role", "must be ROLE_VIEWER, ROLE_OPERATOR or ROLE_ADMIN");
}

function parseIdentity(identity: string): { readonly kind: TokenSubject["kind"]; readonly id: string } {
  const match = /^zor:\/\/(host|user|service)\/(.+)$/.exec(identity);
  const [, kind, id] = match ?? [];
  if (id !== undefined && isId(id) && (kind === "host" || kind === "user" || kind === "service")) return { kind, id };
  throw invalidArgument("identity", `${quote(identity)} does not have the form "zor://user/ana" (or host, service)`);
}
