import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { HostEvents } from "../../../../hub/fleet/host-events.js";
import type { PartSession } from "../../../../hub/fleet/session-part.js";
import { EventLog } from "../../../../lib/events/event-log.js";
import { createLog } from "../../../../lib/log.js";
import { Event } from "../../../../proto/gen/zor/v1/event.js";

const eventOf = (position: number): Event =>
  Event.fromPartial({
    name: `hosts/alpha/events/0000000a.${String(position).padStart(10, "0")}`,
    type: "instance.started",
    resource: "hosts/alpha/instances/vm1",
    time: new Date(),
    message: "x".repeat(500),
  });

async function setUp() {
  const directory = await mkdtemp(join(tmpdir(), "zt-host-events-"));
  const events = await EventLog.open({ directory });
  const stop = new AbortController();
  onTestFinished(async () => {
    stop.abort();
    await events.close();
    await rm(directory, { recursive: true });
  });
  const onMany = vi.fn<(host: string) => void>();
  const log = createLog("test", { write: () => undefined });
  const hostEvents = new HostEvents({ events, log, onMany, budget: { burst: 3000, perSecond: 1 } });
  return { events, hostEvents, onMany, stop };
}

async function kept(events: EventLog): Promise<readonly string[]> {
  return (await events.newest(10_000)).map(({ name }) => name);
}

test("a host that tells too much is taken slowly, is told of once, and keeps nothing of others from being kept", async () => {
  const { events, hostEvents, onMany, stop } = await setUp();
  for (let position = 1; position <= 200; position += 1) hostEvents.take(eventOf(position));
  expect((await kept(events)).length).toBeLessThan(8);
  let batches = 0;
  const stream = async function* (): AsyncGenerator<object> {
    for (let first = (events.cursorOf("alpha")?.position ?? 0) + 1; ; first += 20) {
      batches += 1;
      const some = Array.from({ length: 20 }, (_, index) => eventOf(first + index));
      yield { events: some, position: some.at(-1)?.name.split("/").at(-1) ?? "" };
    }
  };
  const refuse = vi.fn();
  // The parts that are used of a session.
  const session = { host: "alpha", connection: { stream }, refuse } as unknown as PartSession;
  const running = hostEvents.run(session, stop.signal);
  await vi.waitFor(() => expect(onMany).toHaveBeenCalledTimes(1));
  hostEvents.take(Event.fromPartial({ name: "events/0000000b.0000000001", type: "host.created", time: new Date() }));
  const names = await kept(events);
  expect(names.at(-1)).toBe("events/0000000b.0000000001");
  expect(names.length).toBeLessThan(30);
  expect(batches).toBeLessThan(2);
  expect(refuse).not.toHaveBeenCalled();
  stop.abort();
  await running;
});
