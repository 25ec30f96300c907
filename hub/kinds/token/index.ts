import { roleName } from "../../../lib/auth/caller.js";
import { invalidArgument, notFound } from "../../../lib/errors.js";
import type { CallContext, Handlers } from "../../../lib/grpc/service.js";
import { isId, parseId, quote } from "../../../lib/names.js";
import { counted } from "../../../lib/words.js";
import { EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import {
  type CreateTokenRequest,
  CreateTokenResponse,
  Role,
  TokenServiceService,
} from "../../../proto/gen/zor/v1/token_service.js";
import { hostNotFound } from "../../fleet/host-record.js";
import { mintToken, parseTtlMs, planTokenRemoval, type TokenSubject } from "../../join/tokens.js";
import { handlersOf } from "../../kit/handlers.js";
import type { HubKind, HubParts } from "../../kit/hub-kind.js";
import { mutate } from "../../kit/mutate.js";
import { StoredRequests } from "../../kit/requests.js";

const service = TokenServiceService;

/** Join tokens, and the identities that came of them; for admins. No resources: nobody ever sees a token again. */
export const tokenKind: HubKind = {
  kind: "token",
  create: (parts) => ({ handlers: handlersOf(service, tokenHandlers(parts)) }),
};

function tokenHandlers({
  fleet,
  store,
  certificates,
  relay,
  requests,
  inventory,
  formatToken,
}: HubParts): Handlers<typeof TokenServiceService> {
  const relayTickets = relay.records.tickets;
  const tell = (type: string, { kind, id }: Named, message: string, { caller }: CallContext): void => {
    const severity = EventSeverity.EVENT_SEVERITY_INFO;
    const resource = kind === "host" ? `hosts/${id}` : `zor://${kind}/${id}`;
    inventory.log.recordEvent("events", { severity, type, resource, message, caller: caller.identity });
  };
  /** Of CreateToken, whose answer holds a token. */
  const tokenRequests = new StoredRequests(store, withoutToken);
  return {
    createToken: async (request, context) =>
      mutate({ store, requests: tokenRequests, method: service.createToken, request, context }, async (commit) => {
        const subject = parseSubject(request);
        if (subject.kind === "host" && fleet.find(subject.id) === undefined) throw hostNotFound(`hosts/${subject.id}`);
        const token = mintToken(subject, parseTtlMs("ttl", request.ttl), new Date());
        const answer = await commit([token.change], {
          token: formatToken(token.secret),
          expireTime: token.expireTime,
        });
        const { kind, id, role } = subject;
        const as = kind === "host" ? "" : ` as ${roleName(role)}`;
        const until = token.expireTime.toISOString();
        const message = `a token with which zor://${kind}/${id} may join${as} until ${until}`;
        tell("token.created", { kind, id }, message, context);
        return answer;
      }),

    revokeIdentity: async (request, context) =>
      mutate({ store, requests, method: service.revokeIdentity, request, context }, async (commit) => {
        const { kind, id } = parseIdentity(request.identity);
        const { serials, changes } = await certificates.planRevocation(request.identity);
        const tokens = await planTokenRemoval(store, kind, id);
        if (serials.length === 0 && tokens.length === 0) {
          throw notFound(request.identity, "it holds no certificate and no token of this hub");
        }
        const relayed = kind === "host" ? relayTickets.planRevocation(id) : undefined;
        const answer = await commit([...changes, ...tokens, ...(relayed === undefined ? [] : [relayed.change])], {});
        relayed?.apply();
        certificates.revoked(serials);
        // Also looks again at who may use the relay.
        if (kind === "host") fleet.reconnect(id);
        const revoked = `${counted(serials.length, "certificate")} and ${counted(tokens.length, "token")}`;
        tell("identity.revoked", { kind, id }, `${request.identity} lost ${revoked}`, context);
        return answer;
      }),
  };
}

/** Who is meant. */
type Named = Pick<TokenSubject, "kind" | "id">;

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

function withoutToken(response: Buffer): Buffer {
  return Buffer.from(CreateTokenResponse.encode({ ...CreateTokenResponse.decode(response), token: "" }).finish());
}
