import { describe, expect, it } from "vitest";
import type { KnownResource } from "../../../../lib/kinds/resource.js";
import { InstanceState } from "../../../../proto/gen/zor/v1/instance.js";
import { LinkState } from "../../../../proto/gen/zor/v1/link.js";
import { type Body, targetsOf } from "../../../../tui/kit/screen.js";
import { lineWidth } from "../../../../tui/kit/text/segment.js";
import { hostOn, instanceOn, largeLab, linkBetween, smallLab } from "../../../fakes/topology.js";
import { makeProgram, type TestProgram } from "../program.js";
import { reset, snapshotEnd, upsert, upsertInstance } from "../steps.js";

interface MapProgram extends TestProgram {
  add(...resources: readonly KnownResource[]): void;
  body(width?: number, height?: number): Body;
  text(width?: number, height?: number): string;
  /** What the cursor is on. */
  at(): string | undefined;
}

function onMap(resources: readonly KnownResource[], keys: readonly string[] = ["b"]): MapProgram {
  const made = makeProgram();
  const { model } = made;
  const { fleet, nowMs } = model;
  const add = (...more: readonly KnownResource[]) => {
    for (const resource of more) fleet.apply(upsert(resource), nowMs);
  };
  fleet.setConnection({ phase: "live", sinceMs: nowMs, reason: "", retryAtMs: undefined }, nowMs);
  fleet.apply(reset, nowMs);
  add(...resources);
  fleet.apply(snapshotEnd, nowMs);
  made.press(...keys);
  const body = (width = 80, height = 20) => model.screen.draw(width, height);
  return {
    ...made,
    add,
    body,
    text: (width, height) =>
      body(width, height)
        .lines.map(({ line }) =>
          line
            .map(({ text }) => text)
            .join("")
            .trimEnd(),
        )
        .join("\n"),
    at: () => model.screen.subject()?.name,
  };
}

/** The text that is inverted outside of the mini-map. */
function pointedAt({ lines }: Body): string {
  return lines
    .flatMap(({ line }) => line.filter(({ inverse, text }) => inverse === true && /\w/.test(text)))
    .map(({ text }) => text.trim())
    .join("|");
}

describe("the map of a fleet", () => {
  it("opens on what the cursor was on, and points at it", () => {
    const { at, body } = onMap(smallLab(), ["2", "end", "b"]);
    expect(at()).toBe("hosts/beta/instances/r2");
    expect(pointedAt(body())).toBe("● r2");
  });

  it("walks along cables from thing to thing", () => {
    const { press, at } = onMap(smallLab(), ["4", "/", ..."demo", "enter", "b"]);
    expect(at()).toBe("links/demo");
    press("right");
    expect(at()).toBe("hosts/beta/lans/lan1");
    press("h");
    expect(at()).toMatch(/^links\//);
  });

  it("acts on what is under the cursor, with the keys of its kind", async () => {
    const { press, at, model, controller, gateway } = onMap(smallLab(), ["2", "b"]);
    for (let turn = 0; at() !== "hosts/alpha/instances/db1" && turn < 50; turn += 1) press("tab");
    expect(model.screen.kind?.kind).toBe("instance");
    expect(controller.commands.find(({ keys }) => keys.includes("s"))?.title).toBe("start");
    press("s");
    await expect.poll(() => gateway.calls).toEqual(["start hosts/alpha/instances/db1"]);
  });

  it("opens a host's instances, a lan's ports, and the details of the rest", () => {
    const { press, at, model } = onMap(smallLab(), ["1", "b"]);
    expect(at()).toBe("hosts/alpha");
    press("enter");
    expect(model.screen.title()).toBe("instances(alpha)");
    press("esc");
    expect(model.screen.title()).toBe("map");
    for (let turn = 0; at() !== "links/tail" && turn < 50; turn += 1) press("tab");
    press("enter");
    expect(model.screen.title()).toBe("link tail");
  });

  it("comes back to what it was on when it looks closer again", () => {
    const { press, at, text } = onMap(smallLab(), ["2", "end", "b"]);
    press("-");
    expect(at()).toBe("hosts/beta");
    expect(text()).toContain("✗ 3 links");
    expect(text()).toContain("inst 4  lans 1");
    press("+");
    expect(at()).toBe("hosts/beta/instances/r2");
    press("+");
    expect(at()).toBe("hosts/beta/instances/r2");
    expect(text()).toContain("eth0 10.0.0.7");
    press("+");
    expect(text()).toContain("eth0 10.0.0.7");
  });

  it("shows all of a cable that stands for several only as one, and acts on none", () => {
    const { press, at, model, body } = onMap(smallLab(), ["2", "end", "b", "-"]);
    for (let turn = 0; pointedAt(body()) !== "✗ 3 links" && turn < 5; turn += 1) press("tab");
    expect(targetsOf(model.screen)).toEqual([]);
    expect(body().aside).toBe("3 links: backup, demo, tail; + shows them");
    press("enter");
    expect(at()).toMatch(/^links\//);
    expect(targetsOf(model.screen)).toHaveLength(1);
  });

  it("says in a line what is under the cursor, with its ends and what it does", () => {
    const { press, at, body } = onMap(smallLab(), ["2", "b"]);
    const seen: (string | undefined)[] = [];
    for (let turn = 0; turn < 30; turn += 1) {
      press("tab");
      if (["links/demo", "hosts/alpha/a2bs/wan", "hosts/alpha/instances/fw"].includes(at() ?? ""))
        seen.push(body().aside);
    }
    expect(seen).toContain("link demo active, alpha/lan1 ↔ beta/lan1, 0.42ms direct, →1.2Mb/s ←64kb/s");
    expect(seen).toContain("a2b alpha/wan active, impaired, alpha/lan1 ↔ alpha/dmz, →20ms, ←-");
    expect(seen.find((text) => text?.startsWith("instance"))).toContain("eth0 10.0.0.7 in alpha/lan2");
  });

  it("goes to what is near when what it was on is gone", () => {
    const { at, model } = onMap(smallLab(), ["2", "end", "b"]);
    model.screen.draw(80, 20);
    model.fleet.apply({ $case: "removed", value: { kind: "instance", name: "hosts/beta/instances/r2" } }, model.nowMs);
    expect(at()).toMatch(/^hosts\/beta/);
  });

  it("draws nothing again while nothing has changed", () => {
    const { body, add, model } = onMap(smallLab());
    const first = body();
    model.tick();
    expect(body()).toBe(first);
    add(linkBetween("demo", "alpha/lan1", "beta/lan1", LinkState.LINK_STATE_DOWN));
    expect(body()).not.toBe(first);
  });

  it("shows what was asked for as under way, and what is old as old", () => {
    const { model, text, body, press, at } = onMap(smallLab(), ["2", "b"]);
    for (let turn = 0; at() !== "hosts/alpha/instances/db1" && turn < 50; turn += 1) press("tab");
    press("s");
    expect(text()).toContain("◐ db1");
    model.fleet.apply(upsertInstance("alpha", "db1", InstanceState.INSTANCE_STATE_RUNNING), model.nowMs);
    model.fleet.setConnection({ phase: "lost", sinceMs: 0, reason: "gone", retryAtMs: undefined }, model.nowMs);
    expect(body().lines.every(({ faded }) => faded === true)).toBe(true);
  });

  it("says what there is to do where there is nothing", () => {
    expect(onMap([]).text()).toContain("zor host add");
    expect(onMap([hostOn("alpha"), instanceOn("alpha/vm1", [])]).text()).toContain("not plugged in");
  });
});

describe("a map that is larger than the screen", () => {
  const sizes = [
    [80, 20],
    [200, 46],
    [60, 8],
  ] as const;

  it.each(sizes)("shows what the cursor is on, wherever Tab goes, at %dx%d", (width, height) => {
    const { press, body, at } = onMap(largeLab(300, 8), ["b"]);
    const seen = new Set<string>();
    for (const zoom of ["fleet", "host", "lan"]) {
      for (let turn = 0; turn < 25; turn += 1) {
        const drawn = body(width, height);
        expect({ zoom, turn, at: at(), pointed: pointedAt(drawn) }).toMatchObject({
          pointed: expect.stringMatching(/\w/),
        });
        expect(drawn.lines).toHaveLength(height);
        for (const { line } of drawn.lines) expect(lineWidth(line)).toBe(width);
        seen.add(at() ?? "");
        press("tab");
      }
      press("+");
    }
    expect(seen.size).toBeGreaterThan(40);
  });

  it("goes where the mini-map is clicked", () => {
    const { model, at, body, press } = onMap(largeLab(300, 8), ["b", "+"]);
    press("home");
    const pointed = (): readonly [number, number] => {
      const lines = body().lines.map(({ line }) => line.map(({ text }) => text).join(""));
      const line = lines.findIndex((text) => text.slice(64).includes("●"));
      return [line, (lines[line] ?? "").indexOf("●", 64)];
    };
    const first = at();
    const [line, column] = pointed();
    press("end");
    const last = at();
    body();
    model.screen.click?.({ column: column + 1, line: line + 1, isDouble: true });
    expect(at()).not.toBe(last);
    expect(model.screen.title()).toBe("map");
    expect(first).toBeDefined();
    const [seenLine, seenColumn] = pointed();
    expect([Math.abs(seenLine - line - 1), Math.abs(seenColumn - column - 1)].every((apart) => apart <= 2)).toBe(true);
  });

  it("has a mini-map beside it, which m takes away", () => {
    const { text, press } = onMap(largeLab(300, 8), ["b", "+"]);
    const first = text().split("\n")[0] ?? "";
    expect(first.lastIndexOf("│")).toBe(63);
    press("m");
    expect(
      text()
        .split("\n")
        .every((line) => line[63] === "│"),
    ).toBe(false);
  });

  it("finds things by words and queries, opens what they are in, goes on with n and N, and back with Escape", () => {
    const { press, at, body, text, model } = onMap(largeLab(300, 8), ["b"]);
    body();
    const before = at();
    const names = [...model.fleet.rowsOf("instance")].map(({ name }) => name);
    const [wanted = ""] = names.slice(-1);
    const [, host = "", , id = ""] = wanted.split("/");
    press("/", ..."nope");
    expect(at()).toBe(before);
    press("esc", "/", ...`id==${id} host==${host}`);
    press("enter");
    expect(at()).toBe(wanted);
    expect(pointedAt(body())).toContain(id);
    expect(
      body()
        .facts?.map((fact) => fact.text)
        .join(""),
    ).toMatch(/ \/id==\S+ host==\S+ 1 of 1$/);
    press("esc", "/", ..."kind=lan", "enter");
    const first = at();
    expect(first).toMatch(/\/lans\//);
    press("n");
    expect(at()).not.toBe(first);
    press("N", "N", "n");
    expect(at()).toBe(first);
    press("esc");
    expect(text()).not.toContain("kind=lan");
    expect(model.screen.title()).toBe("map");
  });

  it("is the whole again with 0, as near as it fits", () => {
    const { press, text } = onMap(smallLab(), ["2", "b", "+"]);
    text(200, 46);
    press("0");
    expect(text(200, 46)).toContain("10.0.0.7");
    text(80, 20);
    press("0");
    expect(text()).toContain("3 links");
  });
});
