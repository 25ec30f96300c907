import { describe, expect, it } from "vitest";
import { sessionService } from "../../../../../agent/kinds/session/session-kind.js";
import { HostScope } from "../../../../../agent/kit/host-scope.js";
import { Publisher } from "../../../../../agent/kit/publisher.js";
import { Sessions } from "../../../../../agent/kit/sessions.js";
import type { CallContext } from "../../../../../lib/grpc/service.js";
import { WatchLog } from "../../../../../lib/watch/watch-log.js";
import { SessionType } from "../../../../../proto/gen/zor/v1/session.js";
import { Role } from "../../../../../proto/gen/zor/v1/token_service.js";

const { SESSION_TYPE_CONSOLE, SESSION_TYPE_SHELL } = SessionType;
const target = "hosts/h1/instances/vm1";

function makeHost() {
  const watchLog = new WatchLog();
  const publisher = new Publisher(watchLog, "h1");
  const sessions = new Sessions({ host: "h1", publisher, now: () => new Date(0) });
  const service = sessionService({ scope: new HostScope("h1"), sessions, publisher });
  const as = (who: string, role: Role): CallContext => {
    const caller = { identity: `zor://user/${who}`, kind: "user", id: who, role, serial: "AB" } as const;
    return { caller, peer: "192.0.2.7:5000" } as CallContext;
  };
  const events = () => watchLog.list("event").map(({ type, caller, message }) => `${type} ${caller} ${message}`);
  return { watchLog, sessions, service, as, events };
}

describe("sessions", () => {
  it("are there for watchers and lists as long as they last, with who, where and from where", async () => {
    const { sessions, service, as, watchLog } = makeHost();
    const ana = as("ana", Role.ROLE_VIEWER);
    const entered = sessions.enter({ type: SESSION_TYPE_CONSOLE, target, writable: true, port: 1 }, ana);
    expect(entered.session).toMatchObject({ caller: "zor://user/ana", origin: "192.0.2.7:5000", port: 1, target });
    expect(watchLog.list("session")).toEqual([entered.session]);
    const page = { parent: "hosts/-", pageSize: 0, pageToken: "", filter: 'caller = "zor://user/ana"', orderBy: "" };
    expect((await service.listSessions(page, ana)).sessions).toEqual([entered.session]);
    expect((await service.getSession({ name: entered.session.name }, ana)).session).toEqual(entered.session);
    entered.leave();
    entered.leave();
    expect(watchLog.list("session")).toEqual([]);
    await expect(service.getSession({ name: entered.session.name }, ana)).rejects.toMatchObject({
      reason: "NOT_FOUND",
    });
  });

  it("say that a hub told from where", () => {
    const { sessions } = makeHost();
    const owner = { caller: { identity: "zor://user/ana" }, peer: "192.0.2.7:5000" };
    const { session } = sessions.enter({ type: SESSION_TYPE_CONSOLE, target, writable: true }, owner);
    expect(session.origin).toBe("192.0.2.7:5000, through the hub");
  });

  it.each([
    ["their own", SESSION_TYPE_CONSOLE, "ana", Role.ROLE_VIEWER, true],
    ["that of somebody else, as a viewer", SESSION_TYPE_CONSOLE, "eve", Role.ROLE_VIEWER, false],
    ["that of somebody else, as an operator", SESSION_TYPE_CONSOLE, "bob", Role.ROLE_OPERATOR, true],
    ["their own shell", SESSION_TYPE_SHELL, "ana", Role.ROLE_OPERATOR, true],
    ["somebody else's shell, as an operator", SESSION_TYPE_SHELL, "bob", Role.ROLE_OPERATOR, false],
    ["somebody else's shell, as an admin", SESSION_TYPE_SHELL, "bob", Role.ROLE_ADMIN, true],
  ])("are ended by whoever may: %s", async (_what, type, who, role, may) => {
    const { sessions, service, as, events } = makeHost();
    const { session, signal } = sessions.enter({ type, target, writable: true }, as("ana", Role.ROLE_ADMIN));
    const request = { name: session.name, requestId: "", validateOnly: false };
    const ended = service.endSession(request, as(who, role));
    if (!may) {
      await expect(ended).rejects.toMatchObject({ reason: "PERMISSION_DENIED" });
      expect({ aborted: signal.aborted, events: events() }).toEqual({ aborted: false, events: [] });
      return;
    }
    expect((await ended).session).toEqual(session);
    expect(signal.reason).toMatchObject({ message: `zor://user/${who} ended this session`, reason: "SESSION_ENDED" });
    expect(events()).toHaveLength(1);
    expect(events()[0]).toContain(`session.ended zor://user/${who} ended`);
  });

  it("go on when ending them was only checked", async () => {
    const { sessions, service, as, events } = makeHost();
    const ana = as("ana", Role.ROLE_VIEWER);
    const { session, signal } = sessions.enter({ type: SESSION_TYPE_CONSOLE, target, writable: false }, ana);
    await service.endSession({ name: session.name, requestId: "", validateOnly: true }, ana);
    expect({ aborted: signal.aborted, events: events() }).toEqual({ aborted: false, events: [] });
  });
});
