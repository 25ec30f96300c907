import { describe, expect, it } from "vitest";
import { Event } from "../../../../proto/gen/zor/v1/event.js";
import { eventually } from "../../../helpers/eventually.js";
import { makeProgram, type TestProgram } from "../program.js";
import { feedFleet, upsert } from "../steps.js";

const minute = 60_000;

function event(id: string, ageMs: number, more: Partial<Event> = {}): Event {
  const time = new Date(1_700_000_000_000 - ageMs);
  return Event.fromPartial({
    name: `events/${id}`,
    time,
    type: "lan.healed",
    resource: "hosts/alpha/lans/lan1",
    message: id,
    ...more,
  });
}

function onEvents(): TestProgram {
  const program = makeProgram();
  const { model } = program;
  feedFleet(model, { hosts: 2, instancesPerHost: 1, nowMs: model.nowMs });
  for (const value of [
    event("new", 1000),
    event("older", 30 * minute),
    event("old", 90 * minute, { caller: "zor://user/ana" }),
  ])
    model.fleet.apply(upsert({ kind: "event", value }), model.nowMs);
  program.press(":", ..."events", "enter");
  return program;
}

function shown({ model }: TestProgram): string {
  return model.screen
    .draw(120, 20)
    .lines.map(({ line }) => line.map(({ text }) => text).join(""))
    .join("\n");
}

describe("events", () => {
  it("lead to what they are about, or, where that is gone, to what happened to it", () => {
    const program = onEvents();
    const { model, press } = program;
    press("/", ..."older", "enter", "o");
    expect(model.screen.title()).toBe("lan alpha/lan1");
    press("q");
    model.fleet.apply({ $case: "removed", value: { kind: "lan", name: "hosts/alpha/lans/lan1" } }, model.nowMs);
    press("o");
    expect(model.screen.title()).toBe("events(alpha/lan1)");
    expect(model.notice?.text).toContain("is not there any more");
    press(":", ..."operations", "enter", "o");
    expect(model.screen.title()).toBe("instance alpha/vm0");
  });

  it("are those of a time, with those that the hub keeps of it", async () => {
    const program = onEvents();
    const { model, press, gateway } = program;
    gateway.kept.push([event("kept", 40 * minute)], [event("older", 30 * minute)]);
    press("@", ..."1h", "enter");
    await eventually(() => expect(model.notice?.text).toBe("1 more event of that time"));
    expect(gateway.calls).toEqual(["events 2023-11-14T21:13:20.000Z on"]);
    expect(model.screen.title()).toBe("events(1h)");
    for (const id of ["new", "older", "kept"]) expect(shown(program)).toMatch(new RegExp(`${id} *$`, "m"));
    expect(shown(program)).not.toMatch(/ old *$/m);
    press("@", ..."2h..1h", "enter");
    expect(shown(program)).toMatch(/ old *$/m);
    expect(shown(program)).not.toMatch(/ new *$/m);
    await eventually(() => expect(model.notice?.text).toBe("nothing else is kept of that time"));
    press("@", ..."sometime", "enter");
    expect(model.notice?.tone).toBe("warn");
    press("@", ..."all", "enter");
    expect(model.screen.title()).toBe("events");
    expect(shown(program)).toMatch(/ old *$/m);
    expect(model.screens).toHaveLength(1);
  });

  it("that come are seen as long as the cursor is on the newest", () => {
    const program = onEvents();
    const { model, press } = program;
    model.fleet.apply(upsert({ kind: "event", value: event("newest", -500) }), model.nowMs);
    expect(model.screen.subject()?.id).toBe("newest");
    press("j");
    const { id } = model.screen.subject() ?? { id: "" };
    model.fleet.apply(upsert({ kind: "event", value: event("newest2", -1000) }), model.nowMs);
    expect(model.screen.subject()?.id).toBe(id);
  });

  it("that somebody caused are the audit", () => {
    const program = onEvents();
    program.press(":", ..."audit", "enter");
    expect(shown(program)).toMatch(/user\/ana.* old *$/m);
    expect(shown(program)).not.toMatch(/ new *$/m);
  });

  it("of a time say why they cannot be read", async () => {
    const program = onEvents();
    program.gateway.failure = new Error("the hub is away");
    program.press("@", ..."1h", "enter");
    await eventually(() =>
      expect(program.model.notice?.text).toBe("events of that time cannot be read: the hub is away"),
    );
  });
});
