import { expect, it } from "vitest";
import { InstanceState } from "../../../../proto/gen/zor/v1/instance.js";
import { TableScreen } from "../../../../tui/screens/table/table-screen.js";
import { eventually } from "../../../helpers/eventually.js";
import { makeProgram } from "../program.js";
import { upsertInstance } from "../steps.js";

const name = "hosts/alpha/instances/vm1";

/** A program that shows an instance. */
function shown() {
  const made = makeProgram();
  made.model.fleet.apply(upsertInstance("alpha", "vm1", InstanceState.INSTANCE_STATE_RUNNING), made.model.nowMs);
  made.model.openOnly(new TableScreen(made.program, "instance"));
  return made;
}

it("f captures into a file, says how far it is, and f again stops and says what it came to", async () => {
  const { model, gateway, press } = shown();
  gateway.frames = 12;
  press("f");
  await eventually(() => {
    expect(model.notice?.text).toBe("capturing alpha/vm1: 12 frames, none lost in /tmp/a.pcapng; f stops");
  });
  expect(gateway.calls).toEqual([`capture ${name}`]);
  press("f");
  await eventually(() => {
    expect(model.notice?.text).toBe("captured alpha/vm1: 12 frames, 1 lost in /tmp/a.pcapng");
  });
  press("f");
  await eventually(() => expect(gateway.calls).toHaveLength(2));
});

it("says why nothing can be captured, and begins anew when asked again", async () => {
  const { model, gateway, press } = shown();
  gateway.failure = new Error("you may only look");
  press("f");
  await eventually(() => expect(model.notice?.text).toBe("cannot capture alpha/vm1: you may only look"));
  gateway.failure = undefined;
  press("f");
  await eventually(() => expect(gateway.calls).toHaveLength(2));
});

it("f elsewhere does nothing", () => {
  const { model, program, gateway, press } = makeProgram();
  model.openOnly(new TableScreen(program, "event"));
  press("f");
  expect(gateway.calls).toEqual([]);
});

it("one changes until it has begun, and from its stop until it has said what it came to", async () => {
  const { model, program, press } = shown();
  const { captures } = program;
  expect([captures.isChanging, captures.areRunning]).toEqual([false, false]);
  press("f");
  await eventually(() => expect([captures.isChanging, captures.areRunning]).toEqual([false, true]));
  press("f");
  expect(captures.isChanging).toBe(true);
  await eventually(() => expect(captures.isChanging).toBe(false));
  expect(model.notice?.text).toMatch(/^captured alpha\/vm1: /);
  expect(captures.areRunning).toBe(false);
});
