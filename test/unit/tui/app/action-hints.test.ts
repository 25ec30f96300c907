import { expect, it } from "vitest";
import { InstanceState } from "../../../../proto/gen/zor/v1/instance.js";
import { hintLine } from "../../../../tui/app/footer.js";
import { TableScreen } from "../../../../tui/screens/table/table-screen.js";
import { makeProgram } from "../program.js";
import { upsertInstance } from "../steps.js";

/** The footer's words for what starts, stops and pauses, with the cursor on an instance in a state. */
function hints(...states: readonly InstanceState[]) {
  const made = makeProgram();
  for (const [at, state] of states.entries())
    made.model.fleet.apply(upsertInstance("alpha", `vm${at}`, state), made.model.nowMs);
  made.model.openOnly(new TableScreen(made.program, "instance"));
  const footer = () =>
    hintLine(made.model, made.controller.commands, 400)
      .map(({ text }) => text)
      .join("")
      .split("  ")
      .filter((each) => /^(?:s start|x stop|p pause|p resume)$/.test(each.trim()))
      .map((each) => each.trim());
  return { ...made, footer };
}

it.each([
  [InstanceState.INSTANCE_STATE_RUNNING, ["x stop", "p pause"]],
  [InstanceState.INSTANCE_STATE_STOPPED, ["s start"]],
  [InstanceState.INSTANCE_STATE_PAUSED, ["x stop", "p resume"]],
  [InstanceState.INSTANCE_STATE_SUSPENDED, ["s start", "x stop"]],
])("the footer has what can be done to an instance in state %i", (state, words) => {
  expect(hints(state).footer()).toEqual(words);
});

it("the key stays bound, and says why it cannot", () => {
  const { model, press, footer } = hints(InstanceState.INSTANCE_STATE_RUNNING);
  expect(footer()).not.toContain("s start");
  press("s");
  expect(model.notice?.text).toBe("cannot start alpha/vm0: is running");
});

it("of several that are marked one is enough", () => {
  const { press, footer } = hints(InstanceState.INSTANCE_STATE_RUNNING, InstanceState.INSTANCE_STATE_STOPPED);
  press("space", "space");
  expect(footer()).toEqual(["s start", "x stop", "p pause"]);
});
