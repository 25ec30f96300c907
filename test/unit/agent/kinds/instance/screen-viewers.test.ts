import { describe, expect, it } from "vitest";
import { Reached } from "../../../../../agent/kinds/instance/reached.js";
import type { InstanceRecord } from "../../../../../agent/kinds/instance/record.js";

const [ana, eve] = ["zor://user/ana", "zor://user/eve"];

/** An instance, and what is told of it. */
function world() {
  const events: string[] = [];
  const record = { stored: { resource: { name: "hosts/h1/instances/vm1" } } } as InstanceRecord;
  const emit = ({ type, message, caller }: { type: string; message: string; caller: string }) =>
    events.push(`${type} ${message} ${caller}`);
  const surroundings = { emit } as unknown as ConstructorParameters<typeof Reached>[1];
  // Each call reaches the instance anew.
  const view = (caller: string, protocol: "vnc" | "spice" = "spice") =>
    new Reached(record, surroundings).viewing(caller, protocol);
  return { events, view };
}

describe("those who are connected to a screen", () => {
  it("are told when the last of a viewer's connections has ended, with what all of them carried", () => {
    const { events, view } = world();
    const [main, display, refused] = [view(ana), view(ana), view(ana)];
    const other = view(eve);
    display({ in: 1, out: 100 });
    refused(undefined);
    other({ in: 7, out: 7 });
    main({ in: 2, out: 200 });
    expect(events).toEqual([
      `instance.viewed a viewer of the screen left (SPICE, 1 connection): 7 bytes in, 7 out ${eve}`,
      `instance.viewed a viewer of the screen left (SPICE, 2 connections): 3 bytes in, 300 out ${ana}`,
    ]);
  });

  it("are not told of when they never were", () => {
    const { events, view } = world();
    view(ana, "vnc")(undefined);
    expect(events).toEqual([]);
  });

  it("are 32 of a caller and 128 of a screen, by whatever protocol, and room is made by those who leave", () => {
    const { view } = world();
    const own = Array.from({ length: 32 }, (_, index) => view(ana, index % 2 === 0 ? "vnc" : "spice"));
    expect(() => view(ana)).toThrow(expect.objectContaining({ reason: "TOO_MANY_VIEWERS" }));
    own[0]?.(undefined);
    view(ana);
    for (let index = 0; index < 96; index += 1) view(`zor://user/${index}`);
    expect(() => view(eve)).toThrow(/there are 128 connections/);
    own[1]?.(undefined);
    view(eve);
  });
});
