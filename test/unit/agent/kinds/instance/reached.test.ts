import { expect, it } from "vitest";
import { Reached } from "../../../../../agent/kinds/instance/reached.js";
import type { InstanceRecord } from "../../../../../agent/kinds/instance/record.js";
import type { ConsoleSession } from "../../../../../proto/gen/zor/v1/console_service.js";

it("tells once of who looks at a console again and again, and always of who types", () => {
  const events: string[] = [];
  const record = { stored: { resource: { name: "hosts/h1/instances/vm1" } } } as InstanceRecord;
  const reached = (): Reached =>
    new Reached(record, {
      emit: ({ type, caller }: { type: string; caller: string }) => events.push(`${type} ${caller}`),
      publish: () => undefined,
      isThere: () => true,
    } as unknown as ConstructorParameters<typeof Reached>[1]);
  const session = (caller: string, writable: boolean): ConsoleSession => ({
    ...{ caller, port: 0, writable, attachTime: new Date(0) },
  });
  for (let count = 0; count < 50; count += 1) reached().attached(session("zor://user/eve", false)).leave();
  expect(events).toEqual(["instance.console_attached zor://user/eve", "instance.console_detached zor://user/eve"]);
  for (const who of ["zor://user/ana", "zor://user/ana"]) reached().attached(session(who, true)).leave();
  expect(events).toHaveLength(6);
  expect(record.consoleSessions).toEqual([]);
});
