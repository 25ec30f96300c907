import { expect, it } from "vitest";
import { Figure } from "../../../../proto/gen/zor/v1/figures.js";
import { eventually } from "../../../helpers/eventually.js";
import { makeProgram, spell, type TestProgram, tableOf } from "../program.js";
import { feedFleet } from "../steps.js";

const nameOf = (at: number): string => `hosts/alpha/instances/vm${at}`;
const mib = 1 << 20;

function used(at: number, permille: number, bytes = mib) {
  const values = new Map([
    [Figure.FIGURE_CPU_OF_LIMIT, permille],
    [Figure.FIGURE_MEMORY, bytes],
  ]);
  return { host: "hosts/alpha", name: nameOf(at), part: "", values };
}

function onInstances(instancesPerHost: number): TestProgram & { drawn(height?: number): string[] } {
  const program = makeProgram();
  const { model } = program;
  feedFleet(model, { hosts: 1, instancesPerHost, nowMs: model.nowMs });
  const drawn = (height = 12): string[] =>
    model.screen.draw(180, height).lines.map(({ line }) => line.map(({ text }) => text).join(""));
  return { ...program, drawn };
}

it("tells what the rows on the screen use, asks for no others, and for none once another screen is on top", async () => {
  const program = onInstances(300);
  const { gateway, press, drawn, model } = program;
  gateway.used = { all: Array.from({ length: 300 }, (_, at) => used(at, at, at * mib)), trouble: "" };
  press("2");
  expect(drawn()[0]).toMatch(/CPU% +USED/);
  await eventually(() => expect(drawn()[4]).toMatch(/^ +vm3 .* 0\.3 +3M\/\d/));
  const watched = (): string[] => gateway.calls.filter((call) => call.startsWith("watch "));
  expect(watched()).toHaveLength(1);
  expect(watched()[0]?.split(" ").slice(3)).toHaveLength(22);
  press("end");
  await eventually(() => expect(drawn().at(-1)).toMatch(/vm299 .* 29\.9 +299M\//));
  expect(watched()).toHaveLength(2);
  press("enter");
  gateway.tellUsed(gateway.used);
  await eventually(() => expect(gateway.calls.filter((call) => call.startsWith("left "))).toHaveLength(2));
  press("esc");
  drawn();
  await eventually(() => expect(watched()).toHaveLength(3));
  expect(model.screen.draw(80, 12).lines).toHaveLength(12);
  model.screen.closed?.();
  await eventually(() => expect(gateway.calls.filter((call) => call.startsWith("left "))).toHaveLength(3));
});

it("says how old it is where nothing comes any more, and nothing of what is not measured any more", async () => {
  const { gateway, press, drawn, clock } = onInstances(2);
  gateway.used = { all: [used(0, 500), used(1, 20)], trouble: "" };
  press("2");
  await eventually(() => expect(drawn()[1]).toMatch(/ 50\.0 +1M\//));
  const silent = new Map([["hosts/alpha", { silent: "alpha does not answer" }]]);
  gateway.tellUsed({ ...gateway.used, hosts: silent });
  clock.nowMs += 75_000;
  expect(drawn()[1]).toMatch(/ 50\.0 1m15s +1M\/\S+ 1m15s/);
  gateway.tellUsed({ all: [used(1, 30)], trouble: "" });
  expect(drawn()[1]).toMatch(/ - +- /);
  expect(drawn()[2]).toMatch(/ 3\.0 +1M\//);
  gateway.tellUsed({ all: [used(1, 30)], trouble: "the server was lost", isLost: true });
  clock.nowMs += 5000;
  expect(drawn()[2]).toMatch(/ 3\.0 5s +1M\/\S+ 5s/);
});

it("is sorted by the hub, of all the first ones, with filter and direction; what is not measured comes last", async () => {
  const { gateway, press, drawn, model } = onInstances(3000);
  gateway.used = { all: Array.from({ length: 2000 }, (_, at) => used(at, at % 1000)), trouble: "" };
  press("2", "B");
  await eventually(() => expect(drawn()[1]).toMatch(/^\S* +vm999 .* 99\.9 /));
  expect(drawn()[0]).toContain("CPU%↓");
  const watched = (): string[] => gateway.calls.filter((call) => call.startsWith("watch instance"));
  expect(watched()).toEqual(["watch instance by cpu desc, 128 from 0: "]);
  expect(drawn()[2]).toMatch(/vm1999 .* 99\.9 /);
  expect(drawn()[3]).toMatch(/vm998 .* 99\.8 /);
  // What changes moves.
  gateway.tellUsed({ all: [...Array.from(gateway.used.all).slice(1), used(0, 1000)], trouble: "" });
  expect(drawn()[1]).toMatch(/^\S* +vm0 .* 100\.0 /);
  press("B");
  await eventually(() => expect(drawn()[1]).toMatch(/ 0\.0 /));
  expect(watched().at(-1)).toBe("watch instance by cpu, 128 from 0: ");
  press("B", "/", ...spell("vm7 state=run"), "enter");
  const asked = (what: string) =>
    eventually(() => {
      drawn();
      expect(
        watched()
          .at(-1)
          ?.replace(/, \d+ from 0/, ""),
      ).toBe(`watch instance by ${what}`);
    });
  await asked('cpu desc: ((vm7 or driver : "vm7") and state ~ "run")');
  press("esc", "/", ...spell("sort by mem.used, cpu desc"), "enter");
  expect(tableOf(model).sorting.map(({ column }) => column.id)).toEqual(["mem.used", "cpu"]);
  await asked("mem.used, cpu desc: ");
});

it("asks for more of the order where one walks on, and says where the order ends", async () => {
  const { gateway, press, drawn, model } = onInstances(3000);
  gateway.used = { all: Array.from({ length: 3000 }, (_, at) => used(at, at)), trouble: "" };
  press("2", "B");
  await eventually(() => expect(drawn()[1]).toMatch(/vm2999 /));
  for (let turn = 0; turn < 16; turn += 1) {
    press("pgdn");
    expect(drawn().at(-1)).toMatch(/ vm2[89]\d\d .* 2[89]\d\.\d /);
  }
  // Of the last one nobody knows where it is: it is gone after when that is known.
  press("end");
  drawn();
  expect(gateway.calls).toContain("watch instance by cpu desc, 1000 from 0: ");
  press("end");
  const facts = model.screen.draw(180, 12).facts ?? [];
  expect(facts.map(({ text }) => text).join("")).toContain("the first 1000 rows in order");
  // Those behind are by name, and tell what they use all the same.
  await eventually(() => expect(drawn().at(-1)).toMatch(/ vm1999 .* 199\.9 /));
});

it("says why there is nothing to tell", async () => {
  const { gateway, press, drawn, model } = onInstances(2);
  gateway.failure = new Error("this hub is too old");
  press("2", "B");
  drawn();
  await eventually(() => expect(model.screen.draw(180, 12).aside).toContain("this hub is too old"));
  expect(drawn()[1]).toMatch(/vm0 .* - +- /);
});

it("shows what it is sorted by where there is little room, and what is measured of any kind where that is asked for", async () => {
  const { gateway, press, model } = onInstances(2);
  const values = new Map([
    [Figure.FIGURE_CPU_OF_LIMIT, 400],
    [Figure.FIGURE_NET_IN, 2048],
  ]);
  gateway.used = { all: [{ ...used(1, 0), values }], trouble: "" };
  const narrow = (): string[] =>
    model.screen.draw(80, 12).lines.map(({ line }) => line.map(({ text }) => text).join(""));
  press("2");
  expect(narrow()[0]).not.toContain("CPU%");
  expect(gateway.calls).toEqual([]);
  press("B");
  await eventually(() => expect(narrow()[1]).toMatch(/vm1 .* 40\.0 /));
  press("/", ...spell("sort by net.in desc"), "enter");
  await eventually(() => expect(narrow()[1]).toMatch(/vm1 .* 2K\/s/));
  expect(narrow()[0]).toMatch(/NET IN↓/);
  press(":", ..."as-usual", "enter", ":", ..."columns net.in", "enter");
  expect(tableOf(model).columns.at(-1)?.title).toBe("NET IN");
});

it("has what passes by what is measured, as the hub finds it and as it changes, whatever it is sorted by", async () => {
  const { gateway, press, drawn, model, clock } = onInstances(3000);
  gateway.used = { all: Array.from({ length: 2000 }, (_, at) => used(at, at % 1000)), trouble: "" };
  press("2", "/", ...spell("cpu>99% host=alp"), "enter");
  const names = (): readonly string[] =>
    tableOf(model)
      .rows(clock.nowMs)
      .slice(0, 50)
      .map(({ id }) => id);
  drawn();
  await eventually(() => expect(names()).toHaveLength(18));
  expect(names()[0]).toBe("vm991");
  expect(names().every((id) => /99[1-9]$/.test(id))).toBe(true);
  const watched = (): string[] => gateway.calls.filter((call) => call.startsWith("watch instance"));
  expect(watched()).toEqual(['watch instance by cpu desc, 1000 from 0: (cpu > 99% and host ~ "alp")']);
  gateway.tellUsed({ all: [...Array.from(gateway.used.all).slice(1), used(0, 1000)], trouble: "" });
  expect(names()).toContain("vm0");
  press("esc", "/", ...spell("cpu>99% vm199"), "enter");
  drawn();
  await eventually(() => expect(names()).toHaveLength(9));
  // Sorted otherwise by its host or name it is the same ones.
  press("N");
  await eventually(() => expect(names()).toHaveLength(9));
  press("esc");
  drawn();
  await eventually(() => expect(names()).toHaveLength(50));
  press("/", ...spell("!(cpu>99%)"));
  expect(tableOf(model).filterFault).toContain("cpu is measured: say what it is, not what it is not");
});
