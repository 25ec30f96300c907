import { afterAll, beforeAll, expect, test } from "vitest";
import { AsyncQueue } from "../../../lib/async-queue.js";
import type { Connection } from "../../../lib/grpc/connection.js";
import {
  AttachConsoleRequest,
  type AttachConsoleResponse,
  ConsoleServiceService,
} from "../../../proto/gen/zor/v1/console_service.js";
import { type Session, SessionType } from "../../../proto/gen/zor/v1/session.js";
import { ListSessionsRequest, SessionServiceService } from "../../../proto/gen/zor/v1/session_service.js";
import { Role } from "../../../proto/gen/zor/v1/token_service.js";
import { ApiFixture, nameOf, parent } from "./api-fixture.js";

let fixture: ApiFixture;
beforeAll(async () => {
  fixture = await ApiFixture.start();
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
