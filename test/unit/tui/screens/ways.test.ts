import { describe, expect, it, vi } from "vitest";
import { codecOf } from "../../../../lib/kinds/codecs.js";
import { Expose, ExposeState } from "../../../../proto/gen/zor/v1/expose.js";
import { Session, SessionType } from "../../../../proto/gen/zor/v1/session.js";
import { eventually } from "../../../helpers/eventually.js";
import { makeProgram, type TestProgram } from "../program.js";
import { feedFleet, upsert } from "../steps.js";

const vm0 = "hosts/alpha/instances/vm0";

function onInstance(): TestProgram {
  const program = makeProgram();
  const { model } = program;
  feedFleet(model, { hosts: 1, instancesPerHost: 1, nowMs: model.nowMs });
  program.press("2");
  return program;
}

function shown({ model }: TestProgram, width = 100): string {
  return model.screen
    .draw(width, 20)
    .lines.map(({ line }) =>
      line
        .map(({ text }) => text)
        .join("")
        .trimEnd(),
    )
    .join("\n");
}

describe("ways into instances", () => {
  it("are opened from an instance, shown with what they carry, and closed", async () => {
    const program = onInstance();
    const { press, model, gateway, clock } = program;
    press(":", ..."forward 8080:80", "enter");
    await eventually(() => expect(model.notice?.text).toContain("127.0.0.1:8080 leads to alpha/vm0:80"));
    press(":", ..."forward", "enter", ..."90:91", "enter");
    await eventually(() => expect(gateway.calls).toEqual([`forward ${vm0} 8080:80`, `forward ${vm0} 90:91`]));
    press(":", ..."forwards", "enter");
    clock.nowMs += 5000;
    expect(shown(program)).toMatch(/127\.0\.0\.1:8080 +→ alpha\/vm0:80 +0 open, 0 connections so far, for 5s/);
    gateway.forwarded.open = 2;
    press("ctrl-d");
    expect(model.notice?.text).toBe("2 connections would be cut; once more closes 127.0.0.1:8080");
    press("ctrl-d");
    expect(gateway.calls.at(-1)).toBe("closed 8080");
    gateway.forwarded.open = 0;
    press("ctrl-d");
    expect(gateway.calls.at(-1)).toBe("closed 90");
    expect(shown(program)).not.toContain("127.0.0.1");
  });

  it("are refused with what is wrong", async () => {
    const program = onInstance();
    const { press, model, gateway } = program;
    press(":", ..."forward 80:x", "enter");
    expect(model.notice?.tone).toBe("warn");
    gateway.failure = new Error("the port is taken");
    press(":", ..."forward 80", "enter");
    await eventually(() => expect(model.notice?.text).toBe("cannot lead a port to alpha/vm0: the port is taken"));
    press("1", ":", ..."forward 80", "enter");
    expect(model.notice?.text).toContain("put the cursor on an instance first");
  });

  it("are exposes of the hub, which can be deleted, and people at consoles", () => {
    const program = onInstance();
    const { press, model } = program;
    const spec = { instance: vm0, port: 80 };
    const status = { state: ExposeState.EXPOSE_STATE_LISTENING, listen: "127.0.0.1:9000" };
    model.fleet.apply(
      upsert({ kind: "expose", value: Expose.fromPartial({ name: "exposes/web", spec, status }) }),
      model.nowMs,
    );
    const common = { target: vm0, type: SessionType.SESSION_TYPE_CONSOLE };
    for (const [id, rest] of Object.entries({
      aaa: { caller: "zor://user/ana", writable: true, createTime: new Date(model.nowMs - 60_000) },
      bbb: { caller: "zor://user/bob", port: 1, createTime: new Date(model.nowMs - 1000) },
    })) {
      const value = Session.fromPartial({ name: `hosts/alpha/sessions/${id}`, ...common, ...rest });
      model.fleet.apply(upsert({ kind: "session", value }), model.nowMs);
    }
    press(":", ..."forwards", "enter");
    expect(shown(program)).toMatch(/● listening +web .*127\.0\.0\.1:9000/);
    expect(shown(program)).toMatch(/ana +alpha\/vm0 +types at console, for 1m00s/);
    expect(shown(program)).toMatch(/bob +alpha\/vm0 +looks at console, port 1, for 1s/);
    press("ctrl-d");
    expect(model.prompt).toMatchObject({ type: "confirm", impact: { action: { verb: "delete" } } });
    press("esc", "G", "x");
    const effect = "bob loses the console, port 1 of alpha/vm0";
    expect(model.prompt).toMatchObject({ type: "confirm", impact: { action: { verb: "end" }, changes: [{ effect }] } });
    press("esc", "enter");
    expect(model.screen.title()).toBe("session alpha/bbb");
    press("esc");
    for (const width of [60, 80, 200]) {
      for (const line of shown(program, width).split("\n")) expect(line.length).toBeLessThanOrEqual(width);
    }
  });

  it("decode what they show, and once as long as it stays as it is", () => {
    const program = onInstance();
    const { press, model } = program;
    const session = (at: number, caller: string) => ({
      kind: "session" as const,
      value: Session.fromPartial({ name: `hosts/alpha/sessions/s${at}`, caller, target: vm0 }),
    });
    for (let at = 0; at < 300; at += 1) model.fleet.apply(upsert(session(at, `zor://user/u${at}`)), model.nowMs);
    press(":", ..."forwards", "enter");
    const decode = vi.spyOn(codecOf("session"), "decode");
    try {
      for (let turn = 0; turn < 5; turn += 1) expect(shown(program)).toContain("u3 ");
      const first = decode.mock.calls.length;
      expect(first).toBeGreaterThan(0);
      expect(first).toBeLessThanOrEqual(20);
      model.fleet.apply(upsert(session(3, "zor://user/eve")), model.nowMs);
      expect(shown(program)).toContain("eve ");
      expect(decode.mock.calls.length).toBe(first + 1);
    } finally {
      decode.mockRestore();
    }
  });
});
