import { expect, it } from "vitest";
import { Event } from "../../../../proto/gen/zor/v1/event.js";
import { TableScreen } from "../../../../tui/screens/table/table-screen.js";
import { eventually } from "../../../helpers/eventually.js";
import { makeProgram } from "../program.js";

const event = (number: number) =>
  Event.fromPartial({
    name: `events/0000aaaa.${String(number).padStart(10, "0")}`,
    time: new Date(number),
    message: `${number}`,
  });

it("< on events brings older ones, past those that are shown already, until there are no more", async () => {
  const { model, program, gateway, press } = makeProgram();
  model.fleet.addHistory([event(9), event(8)], model.nowMs);
  gateway.kept.push([event(9), event(8)], [event(7), event(6)], [event(5)]);
  model.openOnly(new TableScreen(program, "event"));
  const shown = () => [...model.fleet.rowsOf("event")].map((row) => Number(row.id.split(".")[1])).sort();
  press("<");
  await eventually(() => expect(model.notice?.text).toBe("2 older events"));
  expect(shown()).toEqual([6, 7, 8, 9]);
  press("<");
  await eventually(() => expect(model.notice?.text).toBe("1 older event, and no others are kept"));
  expect(shown()).toEqual([5, 6, 7, 8, 9]);
  press("<");
  await eventually(() => expect(model.notice?.text).toBe("there are no older events, or no room for more"));
});

it("< elsewhere does nothing", () => {
  const { model, program, press } = makeProgram();
  model.openOnly(new TableScreen(program, "lan"));
  press("<");
  expect(model.notice).toBeUndefined();
});
