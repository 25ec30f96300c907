import { describe, expect, it } from "vitest";
import { Pool } from "../../../../proto/gen/zor/v1/pool.js";
import { Volume } from "../../../../proto/gen/zor/v1/volume.js";
import { volumeActions } from "../../../../tui/kinds/volume/actions.js";
import type { ActionCall } from "../../../../tui/kit/action.js";
import type { Row } from "../../../../tui/kit/row.js";
import { eventually } from "../../../helpers/eventually.js";
import { makeProgram, type TestProgram } from "../program.js";
import { feedFleet, upsert } from "../steps.js";

const name = "hosts/alpha/volumes/data";
const volume = Volume.fromPartial({ name, spec: { pool: "default", sizeMib: 1024n } });

/** The table of volumes, with one, on a host with two pools. */
function onVolumes(): TestProgram {
  const program = makeProgram();
  const { model, press } = program;
  feedFleet(model, { hosts: 2, instancesPerHost: 1, nowMs: model.nowMs });
  model.fleet.apply(upsert({ kind: "volume", value: volume }), model.nowMs);
  for (const id of ["default", "fast"]) {
    const pool = Pool.fromPartial({ name: `hosts/alpha/pools/${id}` });
    model.fleet.apply(upsert({ kind: "pool", value: pool }), model.nowMs);
  }
  press(":", ..."volumes", "enter");
  return program;
}

describe("an action that needs a word", () => {
  it("asks for it, offers what it may be, and is done with what was typed", async () => {
    const { model, gateway, press } = onVolumes();
    press("m");
    expect(model.prompt).toMatchObject({ type: "input", title: "move volume alpha/data: pool", choices: ["fast"] });
    press("esc");
    expect(model.prompt).toBeUndefined();
    press("m", "f", "tab");
    expect(model.prompt).toMatchObject({ text: "fast" });
    expect(gateway.calls).toEqual([]);
    press("enter");
    await eventually(() => expect(gateway.calls).toEqual([`move ${name}`]));
    expect(model.fleet.pending.get(name)?.verb).toBe("move");
  });

  it("says what is wrong with what was typed, and does nothing", () => {
    const { model, gateway, press } = onVolumes();
    press("+", ..."much", "enter");
    expect(model.prompt).toBeUndefined();
    expect(model.notice?.text).toContain("size");
    press("m", "enter");
    expect(model.notice?.text).toContain("pool");
    expect(gateway.calls).toEqual([]);
  });
});

describe("what is asked for", () => {
  it.each([
    ["move", "fast", { name, pool: "fast", requestId: "r" }],
    ["resize", "2G", { volume: { name, spec: { sizeMib: 2048n } }, updateMask: ["spec.size_mib"], requestId: "r" }],
  ])("%s %s", async (verb, typed, expected) => {
    const asked: unknown[] = [];
    const connection = { unary: async (_: unknown, request: unknown) => ({ count: asked.push(request) }) };
    const call = { connection, request: { name, requestId: "r", validateOnly: false }, options: {} };
    const action = volumeActions.find((each) => each.verb === verb)?.input?.with(typed);
    const row = { name, id: "data", host: "alpha", resource: volume } as Row<Volume>;
    await action?.run(row, call as unknown as ActionCall);
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatchObject(expected);
  });
});
