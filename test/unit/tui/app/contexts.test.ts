import { describe, expect, it } from "vitest";
import { unavailable } from "../../../../lib/errors.js";
import { Host } from "../../../../proto/gen/zor/v1/host.js";
import { messageLines } from "../../../../tui/app/footer.js";
import { makeProgram, spell, type TestProgram, tableOf, textOf } from "../program.js";
import { feedFleet, upsert } from "../steps.js";

function atHome(): TestProgram {
  const made = makeProgram();
  feedFleet(made.model, { hosts: 2, instancesPerHost: 4, nowMs: made.model.nowMs });
  return made;
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

async function type(made: TestProgram, line: string): Promise<void> {
  made.press(":", ...spell(line), "enter");
  await turn();
}

describe("going to another context", () => {
  it("forgets the fleet, what could be undone and where somebody was, and opens the first table", async () => {
    const made = atHome();
    const { model, program, press, done } = made;
    press("2", "p");
    await expect.poll(() => program.requests.undo.all.length).toBe(1);
    press("l");
    await type(made, "ctx paris");
    expect(done).toContain("go to paris");
    expect(model.session.context).toBe("paris");
    expect(model.fleet.connection.phase).toBe("connecting");
    expect([...model.fleet.rowsOf("instance")]).toEqual([]);
    expect([...model.fleet.rowsOf("event")]).toEqual([]);
    expect(model.fleet.pending.size).toBe(0);
    expect(program.requests.undo.all).toEqual([]);
    expect(tableOf(model).kind.kind).toBe("host");
    expect(model.notice?.text).toBe("this is paris now; :ctx test goes back");
    press("[");
    expect(model.notice?.text).toContain("no place before");
  });

  it("opens a table there, of a host, with a filter; of this one without going anywhere", async () => {
    const made = atHome();
    const { model, done } = made;
    await type(made, "lans @test /x");
    expect(done).toEqual([]);
    expect(tableOf(model).kind.kind).toBe("lan");
    await type(made, "instances @paris /web");
    expect(done).toEqual(["go to paris"]);
    expect(tableOf(model)).toMatchObject({ filterText: "web", kind: { kind: "instance" } });
  });

  it("shows all by :ctx, completes their names, and says which there are", async () => {
    const made = atHome();
    const { model, press } = made;
    press(":", ...spell("instances @p"), "tab");
    expect(model.prompt?.text).toBe("instances @paris");
    press("esc", ":", ...spell("ctx pa"), "tab");
    expect(model.prompt?.text).toBe("ctx paris");
    press("esc");
    await type(made, "ctx");
    expect(textOf(model.screen).join("\n")).toMatch(/test +here[\s\S]*paris/);
    await type(made, "ctx rome");
    expect(model.notice?.text).toBe('there is no context "rome"; there are: test, paris');
  });

  it("stays where it is when the other one cannot be used", async () => {
    const made = atHome();
    made.gateway.failure = unavailable("NO_CONNECTION", "", "nobody answers at 10.0.0.9:7440");
    made.press("2");
    await type(made, "ctx paris");
    expect(made.model.session.context).toBe("test");
    expect(made.model.notice?.text).toBe("still at test: nobody answers at 10.0.0.9:7440");
    expect(tableOf(made.model).kind.kind).toBe("instance");
  });

  it("waits until what was asked for is answered, and ends consoles and captures of the one that is left", async () => {
    const made = atHome();
    const { model, program, press, gateway, done } = made;
    press("2", "f", "c");
    press("ctrl-]", "esc", "j", "s");
    expect(program.requests.underWay).toBe(1);
    await type(made, "ctx paris");
    expect(model.notice?.text).toBe("1 request not answered yet; go elsewhere when that is over");
    await expect.poll(() => program.requests.underWay).toBe(0);
    expect(program.consoles.all).toHaveLength(1);
    await type(made, "ctx paris");
    expect(done).toEqual(["go to paris"]);
    expect(program.consoles.all).toEqual([]);
    expect(gateway.calls.filter((call) => call.startsWith("capture"))).toHaveLength(1);
    await expect.poll(() => model.messages.all.map(({ text }) => text).join("\n")).toContain("captured ");
  });

  it("remembers where each was left", async () => {
    const made = atHome();
    const { model, program, press } = made;
    await type(made, "instances beta /vm1");
    await type(made, "ctx paris");
    expect(program.remembered.placeOf("test")).toBe("instances beta /vm1");
    await type(made, "ctx test");
    expect(model.notice?.text).toContain("you left it at :instances beta /vm1, ` goes there");
    feedFleet(model, { hosts: 2, instancesPerHost: 4, nowMs: model.nowMs });
    press("`");
    expect(model.screen.line?.()).toBe("instances beta /vm1");
  });
});

describe("going past a lost hub", () => {
  it("says at the bottom that agents can be asked themselves, and goes to that of the host under the cursor", async () => {
    const made = atHome();
    const { model, done, press } = made;
    const { fleet, nowMs } = model;
    fleet.apply(
      upsert({ kind: "host", value: Host.fromPartial({ name: "hosts/beta", addresses: ["10.0.0.7:7443"] }) }),
      nowMs,
    );
    fleet.setConnection({ phase: "lost", sinceMs: nowMs, reason: "no answer", retryAtMs: undefined }, nowMs);
    expect(messageLines(model, [], 120, "").map((line) => line.map(({ text }) => text).join(""))).toEqual([
      " ✗ no answer; all of this is as last heard; :agent HOST asks a host's agent itself",
    ]);
    press("1", "j");
    await type(made, "agent");
    await expect.poll(() => done).toEqual(["agent of beta at 10.0.0.7:7443 by test", "go to test-beta"]);
    expect(model.session.context).toBe("test-beta");
    expect(model.notice?.text).toBe("this is test-beta now; :ctx test goes back");
  });

  it("takes the host of what is under the cursor, completes hosts, and says which there is none of", async () => {
    const made = atHome();
    const { model, done, press } = made;
    press(":", ...spell("agent b"), "tab");
    expect(model.prompt?.text).toBe("agent beta");
    press("esc");
    await type(made, "agent gamma");
    expect(model.notice?.text).toContain('there is no host "gamma"; tab behind :agent shows them');
    await type(made, "agent gamma nowhere");
    expect(model.notice?.text).toBe('"gamma nowhere" is no host and its address, such as alpha 10.0.0.7:7443');
    press("2");
    await type(made, "agent");
    await expect.poll(() => done[0]).toMatch(/^agent of alpha at /);
  });

  it("takes an address of a host that nothing is known of, as when the hub never answered", async () => {
    const made = makeProgram();
    await type(made, "agent gamma");
    expect(made.model.notice?.text).toContain(
      "the fleet was not read yet, and with its address it is asked all the same",
    );
    await type(made, "agent gamma 10.0.0.9:7443");
    await expect.poll(() => made.done).toEqual(["agent of gamma at 10.0.0.9:7443 by test", "go to test-gamma"]);
  });

  it("stays where it is when the agent does not answer", async () => {
    const made = atHome();
    made.gateway.failure = unavailable("NO_ANSWER", "", "the agent of context test-alpha did not answer within 5 s");
    await type(made, "agent alpha");
    await expect
      .poll(() => made.model.notice?.text)
      .toBe("still at test: the agent of context test-alpha did not answer within 5 s");
    expect(made.model.session.context).toBe("test");
  });
});
