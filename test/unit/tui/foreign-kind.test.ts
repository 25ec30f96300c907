import { describe, expect, it } from "vitest";
import { pack } from "../../../lib/kinds/resource.js";
import { headerLines } from "../../../tui/app/header.js";
import { tuiKinds } from "../../../tui/kinds/index.js";
import { field } from "../../../tui/kit/describe/line.js";
import type { TuiKind } from "../../../tui/kit/kind.js";
import { nameColumn } from "../../../tui/kit/table/columns.js";
import type { Line } from "../../../tui/kit/text/segment.js";
import "../../extension/register.js";
import { Gauge, GaugeState } from "../../extension/gen/zor/test/v1/gauge.js";
import { eventually } from "../../helpers/eventually.js";
import { makeProgram, tableOf, type TestProgram } from "./program.js";
import { feedFleet } from "./steps.js";

const g1 = "hosts/alpha/gauges/g1";
const spell = (text: string) => [...text].map((character) => (character === " " ? "space" : character));
const textOf = (line: Line) => line.map((segment) => segment.text).join("");

/** What the tests have to say about gauges. */
const gaugeKind: TuiKind<Gauge> = {
  kind: "gauge",
  columns: [
    nameColumn(),
    {
      id: "reading",
      title: "READING",
      importance: 9,
      min: 7,
      max: 9,
      sortLetter: "R",
      cell: (row) => ({ text: `${row.resource.status?.reading ?? 0} V` }),
      sortKey: (row) => row.resource.status?.reading ?? 0,
    },
  ],
  sortBy: "reading",
  empty: "no gauges",
  counted: { short: "gau", rank: 2 },
  actions: [
    {
      verb: "calibrate",
      keys: ["i"],
      title: "calibrate it",
      hint: "calibrate",
      effect: () => "begins at zero again",
      isDone: (_, { resource }) => resource.status?.reading === 0,
      run: async () => undefined,
    },
  ],
  stateAt: ["status", "state"],
  styleOf: (state) => ({ symbol: "●", word: state === 1 ? "measuring" : "idle", tone: "good" }),
  describe: ({ resource }) => [field("reading", `${resource.status?.reading ?? 0} V`)],
  open: (row) => ({ kind: "lan", scope: { title: row.id, host: row.host } }),
  suffersFrom: (row, deleted) => (deleted.name === `hosts/${row.host}` ? `gauge ${row.id} goes dark` : undefined),
};

function feed({ model }: TestProgram, reading = 42): void {
  const value = Gauge.fromPartial({
    name: g1,
    labels: { unit: "volt" },
    status: { state: GaugeState.GAUGE_STATE_ACTIVE, reading, reason: "wired to lan1" },
    createTime: new Date(model.nowMs - 3_600_000),
  });
  model.fleet.apply({ $case: "upsert", value: pack({ kind: "gauge", value }) }, model.nowMs);
}

function withGauge(kinds = tuiKinds): TestProgram {
  const program = makeProgram({}, kinds);
  feedFleet(program.model, { hosts: 2, instancesPerHost: 2, nowMs: program.model.nowMs });
  feed(program);
  return program;
}

function drawn({ model }: TestProgram): string {
  return model.screen
    .draw(120, 20)
    .lines.map(({ line }) => textOf(line))
    .join("\n");
}

describe("a kind of the API that this program has nothing of its own to say about", () => {
  it("shows: by word and by alias, in the header, described, and as YAML", () => {
    const program = withGauge();
    program.press(":", ...spell("gg alpha"), "enter");
    expect(program.model.screen.title()).toBe("gauges(alpha)");
    expect(drawn(program)).toMatch(/g1 +alpha +● active +unit=volt +1h00m +wired to lan1/);
    expect(headerLines(program.model, 200).map(textOf).join("\n")).toContain("gauges 1");
    program.press("1", ":", ...spell("gauges"), "enter");
    expect(tableOf(program.model).kind.kind).toBe("gauge");
    program.press("enter");
    expect(program.model.screen.title()).toBe("gauge alpha/g1");
    expect(drawn(program)).toMatch(/reading: 42/);
    program.press("y");
    expect(drawn(program)).toMatch(/^ name: hosts\/alpha\/gauges\/g1/);
  });

  it("is counted among what a host takes along, and is deleted like anything else", async () => {
    const program = withGauge();
    program.press("1", "ctrl-d");
    expect(program.model.prompt).toMatchObject({
      impact: { changes: [{ effect: expect.stringMatching(/2 instances, 1 lan and 1 gauge, which keep running/) }] },
    });
    program.press("esc", ":", ...spell("gauges"), "enter", "ctrl-d", "y");
    await eventually(() => expect(program.gateway.calls).toEqual([`delete ${g1}`]));
    program.model.fleet.apply({ $case: "removed", value: { kind: "gauge", name: g1 } }, program.model.nowMs);
    expect(program.model.fleet.pending.size).toBe(0);
    expect(drawn(program)).toContain("no gauges");
  });
});

describe("a kind with a folder of its own", () => {
  const own = [...tuiKinds, gaugeKind];

  it("has its columns, states, description, children and key, with nothing said about it anywhere else", async () => {
    const program = withGauge(own);
    program.press(":", ...spell("gauges"), "enter");
    expect(drawn(program)).toMatch(/NAME +READING↑\n.*g1 +42 V/);
    expect(headerLines(program.model, 200).map(textOf).join("\n")).toContain("gauges 1 ● 1 measuring");
    expect(program.controller.commands.map(({ hint }) => hint?.word)).toContain("calibrate");
    program.press("i");
    expect(program.model.fleet.pendingOf(g1)?.verb).toBe("calibrate");
    await eventually(() => expect(program.gateway.calls).toEqual([`calibrate ${g1}`]));
    feed(program, 0);
    expect(program.model.fleet.pendingOf(g1)).toBeUndefined();
    program.press("d");
    expect(drawn(program)).toMatch(/reading +0 V/);
    program.press("esc", "enter");
    expect(program.model.screen.title()).toBe("lans(g1)");
    program.press("?");
    expect(drawn(program)).toContain("b");
    expect(program.model.screen.draw(120, 200).lines.map(({ line }) => textOf(line))).toContainEqual(
      expect.stringMatching(/i +calibrate it/),
    );
  });

  it("says what it suffers from", () => {
    const program = withGauge(own);
    program.press("1", "ctrl-d");
    expect(program.model.prompt).toMatchObject({
      impact: { collateral: expect.arrayContaining(["gauge g1 goes dark"]) },
    });
  });
});
