import { notFound, permissionDenied } from "../../../lib/errors.js";
import type { CallContext, Handlers } from "../../../lib/grpc/service.js";
import { listPage } from "../../../lib/list/list.js";
import { EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import { type Session, SessionType } from "../../../proto/gen/zor/v1/session.js";
import { SessionServiceService as methods } from "../../../proto/gen/zor/v1/session_service.js";
import { Role } from "../../../proto/gen/zor/v1/token_service.js";
import type { KindModule } from "../../kit/context.js";
import { serve } from "../../kit/serve.js";
import type { AgentContext } from "../../parts.js";

/** Who is at which terminal of this host, for the list of kinds. */
export const sessionKind: KindModule<AgentContext> = {
  kind: "session",
  open: async (context) => ({ methods: [serve(methods, sessionService(context))] }),
};

/** The session service of this host. */
export function sessionService({
  scope,
  sessions,
  publisher,
}: Pick<AgentContext, "scope" | "sessions" | "publisher">): Handlers<typeof methods> {
  const find = (name: string): Session => {
    scope.parse("session", "name", name);
    const session = sessions.find(name);
    if (session === undefined) throw notFound(name, "it has ended");
    return session;
  };
  return {
    getSession: async ({ name }) => ({ session: find(name) }),
    listSessions: async (request) => {
      scope.parseListParent("parent", request.parent);
      const page = listPage(sessions.list(), request, "zor.v1.Session", "create_time desc");
      return { sessions: page.items, nextPageToken: page.nextPageToken, totalSize: page.totalSize, unreachable: [] };
    },
    endSession: async ({ name, validateOnly }, { caller }) => {
      const session = find(name);
      assertMayEnd(session, caller);
      if (!validateOnly) {
        publisher.event({
          severity: EventSeverity.EVENT_SEVERITY_INFO,
          type: "session.ended",
          resource: session.target,
          message: `ended ${caller.identity === session.caller ? "a session of their own" : `the session of ${session.caller}`} (${words[session.type] ?? "unknown"})`,
          caller: caller.identity,
        });
        sessions.end(name, caller.identity);
      }
      return { session };
    },
  };
}

const words: Readonly<Partial<Record<SessionType, string>>> = {
  [SessionType.SESSION_TYPE_CONSOLE]: "a console",
  [SessionType.SESSION_TYPE_COMMAND]: "a command with a terminal",
  [SessionType.SESSION_TYPE_SHELL]: "a shell of the host",
};

/** @throws {ZorError} PERMISSION_DENIED */
function assertMayEnd({ name, caller: owner, type }: Session, { identity, role }: CallContext["caller"]): void {
  if (identity === owner) return;
  const isShell = type === SessionType.SESSION_TYPE_SHELL;
  if (role >= (isShell ? Role.ROLE_ADMIN : Role.ROLE_OPERATOR)) return;
  throw permissionDenied(
    `${name} is a session of ${owner}: ending ${isShell ? "somebody else's shell of a host needs role admin" : "that of somebody else needs role operator"}`,
  );
}
