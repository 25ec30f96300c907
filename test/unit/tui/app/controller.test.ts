import { describe, expect, it } from "vitest";
import { InstanceState } from "../../../../proto/gen/zor/v1/instance.js";
import { DetailScreen } from "../../../../tui/screens/detail/detail-screen.js";
import { eventually } from "../../../helpers/eventually.js";
import { makeProgram, type TestProgram, tableOf as table } from "../program.js";
import { feedFleet, removed, upsertInstance, upsertWhole } from "../steps.js";

const vm0 = "hosts/alpha/instances/vm0";
const vm1 = "hosts/alpha/instances/vm1";

function onInstances(session: Parameters<typeof makeProgram>[0] = {}): TestProgram {
  const program = makeProgram(session);
  feedFleet(program.model, { hosts: 2, instancesPerHost: 4, nowMs: program.model.nowMs });
  program.press("2");
  return program;
}

/** A text as the keys that type it. */
function spell(text: string): string[] {
  return [...text].map((character) => (character === " " ? "space" : character));
}

describe("acting on one instance", () => {
  it("marks the row as pending until an event shows the new state", async () => {
    const { model, gateway, press } = onInstances();
    press("down", "s");
    expect(model.fleet.pending.get(vm1)?.verb).toBe("start");
    await eventually(() => expect(gateway.calls).toEqual([`start ${vm1}`]));
    expect(model.fleet.pending.has(vm1)).toBe(true);
    model.fleet.apply(upsertInstance("alpha", "vm1", InstanceState.INSTANCE_STATE_RUNNING), model.nowMs);
    expect(model.fleet.pending.has(vm1)).toBe(false);
  });

  it("stops only after y", async () => {
    const { model, gateway, press } = onInstances();
    press("x");
    expect(model.prompt).toMatchObject({ type: "confirm", phrase: "y" });
    press("n");
    expect(model.prompt).toBeUndefined();
    press("x", "esc", "x", "enter");
    expect(model.prompt).toMatchObject({ type: "confirm" });
    press("y");
    await eventually(() => expect(gateway.calls).toEqual([`stop ${vm0}`]));
  });

  it("asks a guest to shut down only after y, and waits as long as that may take", async () => {
    const { model, gateway, press, clock } = onInstances();
    press("Z", "y");
    await eventually(() => expect(gateway.calls).toEqual([`shutdown ${vm0}`]));
    clock.nowMs += 45_000;
    model.fleet.apply({ $case: "bookmark", value: { time: undefined } }, model.nowMs);
    model.tick();
    expect(model.fleet.pending.get(vm0)?.verb).toBe("shutdown");
    clock.nowMs += 45_000;
    model.fleet.apply({ $case: "bookmark", value: { time: undefined } }, model.nowMs);
    model.tick();
    expect(model.fleet.pending.size).toBe(0);
    expect(model.notice?.text).toContain("asked to shutdown, but no event has shown it happen");
  });

  it("says why it cannot be done, without asking the hub", () => {
    const { model, gateway, press } = onInstances();
    press("s");
    expect(model.notice?.text).toBe("cannot start alpha/vm0: is running");
    expect(gateway.calls).toEqual([]);
  });

  it("shows a refusal at the bottom, keeps it among the events and waits no more", async () => {
    const { model, gateway, press } = onInstances();
    gateway.failure = new Error("no memory left on alpha; stop something first");
    press("down", "s");
    await eventually(() => expect(model.notice?.tone).toBe("bad"));
    expect(model.notice?.text).toBe("cannot start alpha/vm1: no memory left on alpha; stop something first");
    expect(model.fleet.pending.size).toBe(0);
    const kept = [...model.fleet.rowsOf("event")].map((row) => row.resource);
    expect(kept).toContainEqual(expect.objectContaining({ type: "tui.start_failed", resource: vm1 }));
  });

  it("says so when no event ever comes", () => {
    const { model, press, clock } = onInstances();
    press("down", "s");
    clock.nowMs += 31_000;
    model.fleet.apply({ $case: "bookmark", value: { time: undefined } }, model.nowMs);
    model.tick();
    expect(model.fleet.pending.size).toBe(0);
    expect(model.notice?.text).toContain("no event has shown it happen");
  });

  it("pauses what runs and resumes what is paused", async () => {
    const { model, gateway, press } = onInstances();
    press("p");
    await eventually(() => expect(gateway.calls).toEqual([`pause ${vm0}`]));
    model.fleet.apply(upsertInstance("alpha", "vm0", InstanceState.INSTANCE_STATE_PAUSED), model.nowMs);
    press("p");
    await eventually(() => expect(gateway.calls).toEqual([`pause ${vm0}`, `resume ${vm0}`]));
  });
});

describe("undo", () => {
  it("does the inverse of what was done last, after asking where several are concerned; an undo is not undone", async () => {
    const { model, program, gateway, press } = onInstances();
    press("ctrl-u");
    expect(model.notice?.text).toContain("nothing was done from here");
    press("P");
    await eventually(() => expect(program.requests.undo.all).toHaveLength(1));
    expect(gateway.calls).toEqual([`protect ${vm0}`]);
    const spec = { deleteProtection: true };
    model.fleet.apply(upsertWhole({ name: vm0, spec }), model.nowMs);
    press(":", ..."undos", "enter");
    expect(
      model.screen
        .draw(80, 10)
        .lines[0]?.line.map(({ text }) => text)
        .join(""),
    ).toContain("protect instance alpha/vm0");
    press("esc", "ctrl-u");
    await eventually(() => expect(gateway.calls).toEqual([`protect ${vm0}`, `unprotect ${vm0}`]));
    press("ctrl-u");
    expect(model.notice?.text).toContain("nothing was done from here");
  });

  it("is not offered for what has no inverse, or has failed", async () => {
    const { model, gateway, press } = onInstances();
    press("x", "y");
    await eventually(() => expect(gateway.calls).toEqual([`stop ${vm0}`]));
    gateway.failure = new Error("no");
    press("down", "P");
    await eventually(() => expect(model.notice?.text).toContain("cannot protect"));
    press("ctrl-u");
    expect(model.notice?.text).toContain("nothing was done from here");
  });
});

describe("giving the terminal away", () => {
  it("logs in to what is under the cursor, and shows the screen of a machine that has one", () => {
    const { model, done, gateway, press } = onInstances();
    press("w", "t");
    expect(done).toEqual([`ssh ${vm0}`]);
    const spec = { driver: { $case: "qemu" as const, value: { display: "std" } } };
    model.fleet.apply(upsertWhole({ name: vm0, spec }), model.nowMs);
    press("w");
    expect(done).toEqual([`ssh ${vm0}`]);
    expect(gateway.calls).toEqual([`look ${vm0}`]);
  });
});

describe("acting on several", () => {
  it("shows the blast radius and deletes only after the number was typed", async () => {
    const { model, gateway, press } = onInstances();
    press("space", "space", "space", "ctrl-d");
    expect(model.prompt).toMatchObject({ type: "confirm", phrase: "3" });
    press("y", "enter");
    expect(gateway.calls).toEqual([]);
    press("ctrl-u", "3", "enter");
    await eventually(() => expect(gateway.calls).toHaveLength(3));
    expect(table(model).marked.size).toBe(0);
    model.fleet.apply(removed(vm0), model.nowMs);
    expect(model.fleet.pending.size).toBe(2);
  });

  it("marks all that the filter shows", async () => {
    const { model, gateway, press } = onInstances();
    press("/", ...spell("host=beta state=stopped"), "enter", "ctrl-a", "s");
    expect(model.prompt).toMatchObject({ type: "confirm", phrase: "y" });
    press("y");
    await eventually(() =>
      expect(gateway.calls).toEqual(["start hosts/beta/instances/vm1", "start hosts/beta/instances/vm3"]),
    );
  });
});

describe("acting on several where the hub has waves", () => {
  it("asks once, and tells of each that failed or was not begun", async () => {
    const { model, gateway, press } = onInstances();
    gateway.hasWaves = true;
    gateway.waveFailures.set(vm0, new Error("no memory is left"));
    press("space", "space", "space", "ctrl-d", "3", "enter");
    expect(model.fleet.pending.size).toBe(3);
    await eventually(() => expect(gateway.calls).toEqual(["wave DeleteInstance 3"]));
    await eventually(() => expect([...model.fleet.pending.keys()]).not.toContain(vm0));
    expect(model.fleet.pending.size).toBe(2);
  });

  it("one alone is asked for as always", async () => {
    const { gateway, press } = onInstances();
    gateway.hasWaves = true;
    press("down", "s");
    await eventually(() => expect(gateway.calls).toEqual([`start ${vm1}`]));
  });
});

describe("read-only mode", () => {
  it("does nothing on keys that would change something", () => {
    const { model, gateway, done, press } = onInstances({ readOnly: true });
    press("s", "x", "y", "p", "r", "c", "ctrl-d", "y");
    expect(gateway.calls).toEqual([]);
    expect(done).toEqual([]);
    press("o");
    // It is opened when it is known how large it is.
    model.screen.draw(80, 10);
    expect(done).toEqual([]);
    expect(gateway.calls).toEqual([expect.stringMatching(/^open hosts\/.*\/instances\/vm\d:0 looks/)]);
    expect(model.prompt).toBeUndefined();
    expect(model.fleet.pending.size).toBe(0);
  });
});

describe("moving around", () => {
  it("drills down from a host to its instances to the details, and back", () => {
    const { model, press } = onInstances();
    press("1", "down", "enter");
    expect(table(model).scope).toMatchObject({ host: "beta" });
    expect(table(model).rows(model.nowMs).length).toBe(4);
    press("enter");
    expect(model.screen).toBeInstanceOf(DetailScreen);
    expect(model.screen.subject()?.name).toBe("hosts/beta/instances/vm0");
    press("esc", "esc");
    expect(table(model).kind.kind).toBe("host");
    expect(table(model).current(model.nowMs)?.id).toBe("beta");
  });

  it("goes from a lan to its ports to what is plugged in", () => {
    const { model, press } = onInstances();
    press("3", "enter");
    expect(table(model).kind.kind).toBe("port");
    press("G", "enter");
    expect(model.screen).toBeInstanceOf(DetailScreen);
    expect(model.screen.subject()).toMatchObject({ kind: "link", name: "links/link1" });
  });

  it("keeps the cursor on its row while rows come, move and go", () => {
    const { model, press } = onInstances();
    press("down", "down");
    expect(table(model).current(model.nowMs)?.id).toBe("vm2");
    model.fleet.apply(upsertInstance("alpha", "aaa"), model.nowMs);
    expect(table(model).current(model.nowMs)?.id).toBe("vm2");
    press("S");
    expect(table(model).current(model.nowMs)?.id).toBe("vm2");
    press("H");
    expect(table(model).current(model.nowMs)?.id).toBe("vm2");
    model.fleet.apply(removed("hosts/alpha/instances/vm2"), model.nowMs);
    expect(table(model).current(model.nowMs)?.id).toBe("vm3");
  });

  it("sorts by a column, and the other way round", () => {
    const { model, press } = onInstances();
    press("M");
    expect(table(model).sorting[0]).toMatchObject({ column: { id: "memory" }, descending: true });
    expect(table(model).rows(model.nowMs).at(0)?.id).toBe("vm3");
    press("M");
    expect(table(model).rows(model.nowMs).at(0)?.id).toBe("vm0");
  });

  it("filters while typing; esc brings the old filter back, enter keeps the new one", () => {
    const { model, press } = onInstances();
    press("/", "v", "m", "1");
    expect(table(model).rows(model.nowMs).length).toBe(2);
    press("esc");
    expect(table(model).filterText).toBe("");
    press("/", "v", "m", "1", "enter");
    expect(table(model).filterText).toBe("vm1");
    press("esc");
    expect(table(model).filterText).toBe("");
  });

  it("opens tables from the command line, with completion", () => {
    const { model, done, press } = onInstances();
    press(":", "l", "i", "tab", "enter");
    expect(table(model).kind.kind).toBe("link");
    press(":", ...spell("vm beta /stopped"), "enter");
    expect(table(model).rows(model.nowMs).length).toBe(2);
    press(":", ...spell("nonsense"), "enter");
    expect(model.notice).toMatchObject({ tone: "warn" });
    press(":", "q", "enter");
    expect(done).toEqual(["quit"]);
  });

  it("describes by name", () => {
    const { model, press } = onInstances();
    press(":", ...spell("describe beta/vm1"), "enter");
    expect(model.screen).toBeInstanceOf(DetailScreen);
    expect(model.screen.subject()?.name).toBe("hosts/beta/instances/vm1");
  });

  it("shows the events of one resource", () => {
    const { model, press } = onInstances();
    press("e");
    expect(table(model).kind.kind).toBe("event");
    expect(table(model).rows(model.nowMs).length).toBe(1);
    press("esc", "down", "e");
    expect(table(model).rows(model.nowMs).length).toBe(0);
  });
});

describe("ctrl-z", () => {
  it("gives the terminal back from any screen and any prompt, which stays as it is", () => {
    const { model, done, press } = onInstances({ readOnly: true });
    press("ctrl-z", "?", "ctrl-z", "esc", "/", "v", "ctrl-z");
    expect(done).toEqual(["stop", "stop", "stop"]);
    expect(model.prompt).toMatchObject({ type: "filter", text: "v" });
  });
});

describe("what is said at the bottom", () => {
  const said: readonly (readonly [string, (program: TestProgram) => void, RegExp])[] = [
    ["that nothing was confirmed", ({ press }) => press("ctrl-d", "n"), /nothing done: delete was not confirmed/],
    ["that nothing was confirmed, by ctrl-c", ({ press }) => press("ctrl-d", "ctrl-c"), /press ctrl-c again/],
    ["a warning", ({ press }) => press("s"), /cannot start/],
    ["that everything is read again", ({ press }) => press("ctrl-r"), /reading everything/],
    ["a bad command", ({ press }) => press(":", ...spell("nonsense"), "enter"), /nonsense/],
    ["what was pasted", ({ controller }) => controller.paste("x"), /pasted text is ignored/],
  ];

  it.each(said)("goes at the next key: %s", (_, say, text) => {
    const program = onInstances();
    say(program);
    expect(program.model.notice?.text).toMatch(text);
    program.press("down");
    expect(program.model.notice).toBeUndefined();
  });

  it.each(said)("goes by itself: %s", (_, say, text) => {
    const program = onInstances();
    say(program);
    expect(program.model.notice?.text).toMatch(text);
    program.clock.nowMs += 6000;
    program.model.tick();
    expect(program.model.notice).toBeUndefined();
  });

  it("does not promise what is over: ctrl-c quits for two seconds, and says so for two", () => {
    const { model, press, clock } = onInstances();
    press("ctrl-c");
    clock.nowMs += 2000;
    model.tick();
    expect(model.notice).toBeUndefined();
  });

  it("stays for its time, or until esc, when something went wrong", () => {
    const { model, press, clock } = onInstances();
    model.complain("tui.test", vm0, "it broke");
    press("down", "up");
    expect(model.notice?.text).toBe("it broke");
    press("esc");
    expect(model.notice).toBeUndefined();
    model.complain("tui.test", vm0, "it broke");
    clock.nowMs += 20_000;
    model.tick();
    expect(model.notice).toBeUndefined();
  });
});

describe("leaving", () => {
  it("takes ctrl-c twice within two seconds", () => {
    const { done, press, clock } = onInstances();
    press("ctrl-c");
    clock.nowMs += 3000;
    press("ctrl-c");
    expect(done).toEqual([]);
    press("ctrl-c");
    expect(done).toEqual(["quit"]);
  });

  it("takes q on the first screen, and closes others with it", () => {
    const { done, press } = onInstances();
    press("enter", "q");
    expect(done).toEqual([]);
    press("q");
    expect(done).toEqual(["quit"]);
  });
});

describe("pasting", () => {
  it("types into a prompt, but is never taken for keys or consent", async () => {
    const { model, controller, gateway, press } = onInstances();
    controller.paste("s");
    expect(model.fleet.pending.size).toBe(0);
    press("x");
    controller.paste("y");
    expect(model.prompt).toMatchObject({ type: "confirm" });
    press("esc", "/");
    controller.paste("vm1\nctrl");
    expect(table(model).filterText).toBe("vm1");
    expect(gateway.calls).toEqual([]);
  });
});
