import { existsSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hostShellSchema } from "../../../agent/host/shell/shell-policy.js";
import { AsyncQueue } from "../../../lib/async-queue.js";
import type { Connection } from "../../../lib/grpc/connection.js";
import {
  AttachConsoleRequest,
  type AttachConsoleResponse,
  ConsoleServiceService,
} from "../../../proto/gen/zor/v1/console_service.js";
import { Event } from "../../../proto/gen/zor/v1/event.js";
import { EventServiceService, ListEventsRequest } from "../../../proto/gen/zor/v1/event_service.js";
import { type Session, SessionType } from "../../../proto/gen/zor/v1/session.js";
import { ListSessionsRequest, SessionServiceService } from "../../../proto/gen/zor/v1/session_service.js";
import {
  type OpenShellRequest,
  type OpenShellResponse,
  ShellOpen,
  ShellServiceService,
} from "../../../proto/gen/zor/v1/shell_service.js";
import { Role } from "../../../proto/gen/zor/v1/token_service.js";
import { ApiFixture, nameOf, parent } from "./api-fixture.js";

let fixture: ApiFixture;
beforeAll(async () => {
  fixture = await ApiFixture.start({ hostShell: hostShellSchema.parse({ user: "nobody", sessions: 1 }) });
});
afterAll(() => fixture.close());

async function sessionsOf(connection: Connection): Promise<readonly Session[]> {
  const request = ListSessionsRequest.fromPartial({ parent });
  return (await connection.unary(SessionServiceService.listSessions, request)).sessions;
}

test("a console session is shown, and ended by somebody else, of whom its owner is told", async () => {
  await fixture.make("c1");
  const viewer = fixture.connect(await fixture.pki.user("vera", Role.ROLE_VIEWER));
  const typed = new AsyncQueue<AttachConsoleRequest>(10);
  typed.push(AttachConsoleRequest.fromPartial({ message: { $case: "open", value: { name: nameOf("c1") } } }));
  const seen: AttachConsoleResponse["message"][] = [];
  for await (const { message } of viewer.bidi(ConsoleServiceService.attachConsole, typed)) {
    seen.push(message);
    if (message?.$case !== "opened") continue;
    const [session] = await sessionsOf(fixture.operator);
    expect(session).toMatchObject({
      ...{ type: SessionType.SESSION_TYPE_CONSOLE, target: nameOf("c1"), caller: "zor://user/vera", writable: false },
      origin: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
    });
    const end = { name: session?.name ?? "", requestId: "", validateOnly: false };
    await fixture.operator.unary(SessionServiceService.endSession, end);
  }
  const reason = "zor://user/ana ended this session";
  expect(seen.at(-1)).toEqual({ $case: "closed", value: { reason } });
  await expect.poll(() => sessionsOf(viewer)).toEqual([]);
});

describe("a shell of the host", () => {
  type Said = NonNullable<OpenShellResponse["message"]>;

  /** Opens one; `hear` is told of all that it says, with all that it has said so far, and types. */
  async function shell(
    connection: Connection,
    open: Partial<ShellOpen>,
    hear: (said: Said, text: string, type: (data: string) => void) => Promise<void> | void,
  ): Promise<{ readonly text: string; readonly last: Said | undefined }> {
    const typed = new AsyncQueue<OpenShellRequest>(100);
    const send = (message: NonNullable<OpenShellRequest["message"]>): void => void typed.push({ message });
    send({ $case: "open", value: ShellOpen.fromPartial({ name: parent, ...open }) });
    let text = "";
    let last: Said | undefined;
    for await (const { message } of connection.bidi(ShellServiceService.openShell, typed)) {
      if (message === undefined) continue;
      last = message;
      if (message.$case === "data" || message.$case === "errors") text += message.value.toString();
      await hear(message, text, (data) => {
        if (data === "") send({ $case: "inputEnd", value: {} });
        else send({ $case: "data", value: Buffer.from(data) });
      });
    }
    return { text, last };
  }

  test("is for admins alone, and nobody's unless the agent's settings have it", async () => {
    const open = { command: ["true"] };
    await expect(shell(fixture.operator, open, () => undefined)).rejects.toMatchObject({ reason: "PERMISSION_DENIED" });
  });

  test("runs a command with its input, as the user of the settings, and tells its exit code", async () => {
    const admin = fixture.connect(await fixture.pki.user("root", Role.ROLE_ADMIN));
    const command = ["sh", "-c", "cat; id -un; grep NoNewPrivs /proc/$$/status; pwd; echo no >&2; exit 7"];
    const { text, last } = await shell(admin, { command }, (said, _text, type) => {
      if (said.$case !== "opened") return;
      type("typed\n");
      type("");
    });
    expect(last).toEqual({ $case: "exit", value: { code: 7, signal: 0, reason: "" } });
    expect(text).toMatch(/^typed\nnobody\nNoNewPrivs:\s1\n\/\n/m);
    expect(text).toContain("no\n");
  });

  test("has a terminal, and ends with all that it began when somebody ends its session", async () => {
    const admin = fixture.connect(await fixture.pki.user("root", Role.ROLE_ADMIN));
    const size = { columns: 91, rows: 33 };
    const script = "stty size; tty; setsid sh -c 'echo left=$$; exec sleep 987' & sleep 988";
    let isEnded = false;
    const { text, last } = await shell(admin, { command: ["sh", "-c", script], size }, async (_said, so) => {
      if (isEnded || !/left=\d+\r?\n/.test(so)) return;
      isEnded = true;
      const [session] = await sessionsOf(fixture.operator);
      expect(session).toMatchObject({ type: SessionType.SESSION_TYPE_SHELL, target: parent, program: "sh" });
      const request = { name: session?.name ?? "", requestId: "", validateOnly: false };
      const other = shell(admin, {}, () => undefined);
      await expect(other).rejects.toMatchObject({ reason: "TOO_MANY_SHELLS" });
      await expect(fixture.operator.unary(SessionServiceService.endSession, request)).rejects.toMatchObject({
        reason: "PERMISSION_DENIED",
      });
      await admin.unary(SessionServiceService.endSession, request);
    });
    expect(text).toContain("33 91");
    expect(last).toMatchObject({ $case: "exit", value: { reason: "zor://user/root ended this session" } });
    const left = Number(/left=(\d+)/.exec(text)?.[1]);
    await expect.poll(() => existsSync(`/proc/${left}`)).toBe(false);
    await expect.poll(() => sessionsOf(admin)).toEqual([]);
    const { events } = await admin.unary(EventServiceService.listEvents, ListEventsRequest.fromPartial({}));
    const told = events
      .filter(({ type }) => type.startsWith("host.shell"))
      .map(({ type, caller }) => `${type} ${caller}`);
    expect(new Set(told)).toEqual(new Set(["host.shell-opened zor://user/root", "host.shell-closed zor://user/root"]));
    expect(JSON.stringify(events.map((event) => Event.toJSON(event)))).not.toContain("987");
  });
});
