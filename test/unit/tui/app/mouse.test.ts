import { describe, expect, it } from "vitest";
import { MouseReader } from "../../../../tui/kit/mouse/reports.js";
import { smallLab } from "../../../fakes/topology.js";
import { makeProgram, tableOf } from "../program.js";
import { feedFleet, upsert } from "../steps.js";

/** A press of the first button, counted from 1 as terminals do. */
const press = (column: number, line: number) => `\x1b[<0;${column};${line}M\x1b[<0;${column};${line}m`;

function start() {
  const made = makeProgram();
  const { model, controller, press: keys } = made;
  feedFleet(model, { hosts: 2, instancesPerHost: 5, nowMs: model.nowMs });
  keys("2");
  /** Draws the body from the fourth line of the terminal on. */
  const draw = () => controller.clicks.drawn(3, model.screen.draw(80, 19).lines);
  draw();
  const mouse = (data: string) => {
    draw();
    return controller.typed(data);
  };
  return { ...made, mouse, keys };
}

describe("reports of a mouse", () => {
  it("are taken out of what is typed, also in two pieces, and all else is left", () => {
    const reader = new MouseReader();
    expect(reader.read(`a${press(3, 4)}b`)).toEqual({ events: [{ type: "press", column: 2, line: 3 }], rest: "ab" });
    expect(reader.read("x\x1b[<64;1")).toEqual({ events: [], rest: "x" });
    expect(reader.read(";2My")).toEqual({ events: [{ type: "wheel", column: 0, line: 1, by: -1 }], rest: "y" });
    expect(reader.read("\x1b")).toEqual({ events: [], rest: "\x1b" });
    expect(reader.read("\x1b[A\x1b[<2;1;1M\x1b[200~p\x1b[201~")).toEqual({
      events: [],
      rest: "\x1b[A\x1b[200~p\x1b[201~",
    });
  });
});

describe("the mouse", () => {
  it("is off until it is turned on, and then says so to the terminal", async () => {
    const { mouse, keys, done, program } = start();
    expect(mouse(press(5, 6))).toBe(press(5, 6));
    keys(":", ..."mouse on", "enter");
    expect(done).toEqual([JSON.stringify("\x1b[?1000h\x1b[?1006h")]);
    expect(mouse(press(5, 6))).toBe("");
    expect(program.settings.values.settings).toMatchObject({ mouse: true });
    keys(":", ..."mouse", "enter");
    expect(done.at(-1)).toBe(JSON.stringify("\x1b[?1006l\x1b[?1000l"));
    keys(":", ..."mouse up", "enter");
    expect(program.mouse.isOn).toBe(false);
  });

  it("is off while another program has the terminal", async () => {
    const { program, done } = start();
    program.mouse.set(true);
    const mouse = program.mouse as unknown as { away(work: () => Promise<void>): Promise<void> };
    await mouse.away(async () => {
      done.push("away");
    });
    expect(done.slice(1).map((text) => (text === "away" ? text : JSON.parse(text)))).toEqual([
      "\x1b[?1006l\x1b[?1000l",
      "away",
      "\x1b[?1000h\x1b[?1006h",
    ]);
  });

  it("goes to a row, opens it by a second press, and scrolls", () => {
    const { mouse, model, program } = start();
    program.mouse.set(true);
    mouse(press(5, 4 + 3));
    const picked = tableOf(model).current(model.nowMs)?.name;
    expect(model.screen.draw(80, 19).lines[3]?.selected).toBe(true);
    mouse("\x1b[<65;5;8M");
    expect(model.screen.draw(80, 19).lines[6]?.selected).toBe(true);
    mouse("\x1b[<64;5;8M");
    mouse(press(5, 7) + press(5, 7));
    expect(model.screen.title()).toContain(picked?.split("/").at(-1));
  });

  it("sorts by the title that is pressed, again the other way round", () => {
    const { mouse, model, program } = start();
    program.mouse.set(true);
    const header = () =>
      model.screen
        .draw(80, 19)
        .lines[0]?.line.map(({ text }) => text)
        .join("") ?? "";
    const at = header().indexOf("NAME") + 1;
    mouse(press(at, 4));
    expect(tableOf(model).sorting[0]).toMatchObject({ column: { id: "name" }, descending: false });
    mouse(press(at + 1, 4));
    expect(tableOf(model).sorting[0]).toMatchObject({ column: { id: "name" }, descending: true });
  });

  it("points at things of the map", () => {
    const { mouse, model, program, keys } = start();
    for (const resource of smallLab()) model.fleet.apply(upsert(resource), model.nowMs);
    program.mouse.set(true);
    keys("b", "0", "+");
    const lines = model.screen.draw(80, 19).lines.map(({ line }) => line.map(({ text }) => text).join(""));
    const y = lines.findIndex((line) => line.includes("db1"));
    expect(y).toBeGreaterThanOrEqual(0);
    const x = (lines[y] ?? "").indexOf("db1");
    mouse(press(x + 1, y + 4));
    expect(model.screen.subject()?.name).toBe("hosts/alpha/instances/db1");
  });

  it("does nothing where something has to be answered first", () => {
    const { mouse, model, program, keys } = start();
    program.mouse.set(true);
    keys("ctrl-d");
    const { prompt } = model;
    expect(prompt).toBeDefined();
    mouse(press(5, 7));
    expect(model.prompt).toBe(prompt);
  });
});
