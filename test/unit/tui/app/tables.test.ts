import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { InstanceState } from "../../../../proto/gen/zor/v1/instance.js";
import { confirmLines } from "../../../../tui/app/confirm.js";
import { instanceKind } from "../../../../tui/kinds/instance/instance.js";
import { findColumn } from "../../../../tui/kit/table/table-look.js";
import { TableState } from "../../../../tui/kit/table/table-state.js";
import { DetailScreen } from "../../../../tui/screens/detail/detail-screen.js";
import { destinationsOf } from "../../../../tui/screens/jumps/jumps.js";
import { Settings } from "../../../../tui/settings/settings.js";
import { makeProgram, spell, type TestProgram, tableOf, textOf } from "../program.js";
import { feedFleet, upsertWhole } from "../steps.js";

function onInstances(): TestProgram {
  const made = makeProgram();
  feedFleet(made.model, { hosts: 2, instancesPerHost: 4, nowMs: made.model.nowMs });
  made.press("2");
  return made;
}

const titles = ({ model }: TestProgram): string[] => tableOf(model).columns.map(({ id }) => id);
const header = ({ model }: TestProgram, width = 120): string => textOf(model.screen, width, 20)[0] ?? "";

describe("columns", () => {
  it("are chosen by walking along, sorted by, moved, widened and hidden, and kept for the kind", () => {
    const made = onInstances();
    const { model, program, press } = made;
    const [first = "", second = ""] = titles(made);
    textOf(model.screen);
    press("|");
    expect(model.notice?.text).toContain("no column is chosen");
    press("right", "right", "|");
    expect(tableOf(model).sorting[0]?.column.id).toBe(second);
    press("|");
    expect(program.settings.values.tables["instance"]?.sort).toEqual({ by: second, descending: false });
    press("{");
    expect(titles(made).slice(0, 2)).toEqual([second, first]);
    press("(", ")", ")");
    const width = program.settings.values.tables["instance"]?.widths?.[second] ?? 0;
    expect(header(made).indexOf(`${first.toUpperCase()}`)).toBeGreaterThan(width);
    press("\\");
    expect(titles(made)).not.toContain(second);
    press("1", "2");
    expect(titles(made)).not.toContain(second);
    press(":", ..."as-usual", "enter");
    expect(titles(made).slice(0, 2)).toEqual([first, second]);
    expect(program.settings.values.tables).toEqual({});
  });

  it("are sorted by several, as keys, a filter and a look that was kept say", () => {
    const made = onInstances();
    const { model, program, press } = made;
    const { nowMs } = model;
    const hosts = (): (string | undefined)[] =>
      tableOf(model)
        .rows(nowMs)
        .slice(0, 8)
        .map(({ host }) => host);
    const ids = (): readonly string[] =>
      tableOf(model)
        .rows(nowMs)
        .slice(0, 8)
        .map(({ id }) => id);
    const by = () => tableOf(model).sorting.map(({ column, descending }) => `${column.id}${descending ? " desc" : ""}`);
    const choose = (id: string): void => {
      press("esc", "right");
      for (let left = 50; left > 0 && titles(made)[tableOf(model).columnCursor] !== id; left -= 1) press("right");
      expect(titles(made)[tableOf(model).columnCursor]).toBe(id);
    };
    choose("host");
    press("|");
    if (by()[0] === "host") press("|");
    choose("name");
    press("&", "&");
    expect(by()).toEqual(["host desc", "name desc"]);
    expect(header(made)).toMatch(/NAME2↓.*HOST1↓/);
    expect(hosts()).toEqual([...Array(4).fill("beta"), ...Array(4).fill("alpha")]);
    expect(ids().slice(0, 4)).toEqual([...ids().slice(0, 4)].sort().reverse());
    expect(program.settings.values.tables["instance"]?.sort).toEqual({
      ...{ by: "host", descending: true },
      thenBy: [{ by: "name", descending: true }],
    });
    press("1", "2");
    expect(by()).toEqual(["host desc", "name desc"]);
    press("N");
    expect(by()).toEqual(["name"]);
    press("/", ...spell("vm sort by host, name desc"), "enter");
    expect(by()).toEqual(["host", "name desc"]);
    expect(hosts()).toEqual([...Array(4).fill("alpha"), ...Array(4).fill("beta")]);
    expect(ids().slice(0, 4)).toEqual([...ids().slice(0, 4)].sort().reverse());
    for (const id of ["state", "driver", "memory"]) {
      choose(id);
      press("&");
    }
    expect(by()).toEqual(["host", "name desc", "state", "memory desc"]);
  });

  it("say at which hub things are where there are several", () => {
    const { model } = makeProgram();
    const connected = { phase: "live", sinceMs: 0, retryAtMs: undefined, reason: "" } as const;
    model.fleet.setHub("paris", connected, model.nowMs);
    model.fleet.setHub("rome", connected, model.nowMs);
    for (const name of ["hosts/alpha@paris/instances/vm1", "hosts/beta@rome/instances/vm1"])
      model.fleet.apply(upsertWhole({ name }), model.nowMs);
    const table = new TableState(model.fleet, "instance");
    expect(table.columns.slice(0, 2).map(({ title }) => title)).toEqual(["NAME", "HUB"]);
    table.setFilter("hub=rome");
    expect(table.filterFault).toBeUndefined();
    expect(
      table
        .rows(model.nowMs)
        .slice(0, 9)
        .map(({ name }) => name),
    ).toEqual(["hosts/beta@rome/instances/vm1"]);
    table.setFilter("sort by hub desc");
    expect(
      table
        .rows(model.nowMs)
        .slice(0, 9)
        .map(({ host }) => host),
    ).toEqual(["beta@rome", "alpha@paris"]);
  });

  it("are shown and hidden in a list, the last one excepted", () => {
    const made = onInstances();
    const { model, press } = made;
    press(":", ..."columns", "enter");
    expect(model.screen.title()).toBe("columns of instance");
    const count = titles({ ...made, model: { ...made.model, screen: model.screens[0] } as typeof model }).length;
    for (let index = 0; index < count + 5; index += 1) press("enter", "down");
    press("esc");
    expect(titles(made).length).toBeGreaterThan(0);
  });

  it("may be labels and fields, which are sorted by, kept, and named where there is none", () => {
    const made = onInstances();
    const { model, program, press } = made;
    for (const [id, site, cpus] of [
      ["a1", "paris", 2],
      ["a2", "rome", 16],
      ["a3", "", 4],
    ] as const) {
      const labels = site === "" ? {} : { site };
      model.fleet.apply(upsertWhole({ name: `hosts/alpha/instances/${id}`, labels, spec: { cpus } }), model.nowMs);
    }
    const type = (line: string): void => press(":", ...spell(line), "enter");
    press(":", ...spell("columns label.s"), "tab");
    expect(model.prompt?.text).toBe("columns label.site");
    press("esc");
    for (const id of instanceKind.columns.map((column) => column.id).filter((each) => each !== "name"))
      type(`columns ${id}`);
    type("columns label.site");
    type("columns spec.cpus");
    expect(titles(made)).toEqual(["name", "label.site", "spec.cpus"]);
    press("/", ...spell("a1 or a2 or a3 sort by spec.cpus"), "enter");
    const lines = (): string[] => textOf(model.screen, 60, 10).map((line) => line.replaceAll(/[❯ ]+/g, " ").trim());
    expect(lines()).toEqual(["NAME SITE CPUS↑", "a1 paris 2", "a3 4", "a2 rome 16"]);
    expect(program.settings.values.tables["instance"]?.columns).toEqual(["name", "label.site", "spec.cpus"]);
    type("columns");
    expect(textOf(model.screen).join("\n")).toMatch(/\[x\] SITE +label\.site/);
    press("esc");
    type("columns colour");
    expect(model.notice?.text).toBe('instances have no column, label or field "colour"; tab shows some');
    type("columns label.site");
    expect(titles(made)).toEqual(["name", "spec.cpus"]);
  });

  it("show fields as what they are", () => {
    const { model } = makeProgram();
    const value = {
      ...{ name: "hosts/alpha/instances/a1", createTime: new Date(model.nowMs - 90_000) },
      spec: { memoryMib: 4096, deleteProtection: true, nics: [{ name: "eth0" }, { name: "eth1" }] },
      status: { state: InstanceState.INSTANCE_STATE_RUNNING },
    };
    model.fleet.apply(upsertWhole(value), model.nowMs);
    const row = model.fleet.find("instance", value.name);
    const text = (id: string): string | undefined =>
      row === undefined ? undefined : findColumn(instanceKind, id)?.cell(row, model.context).text;
    expect(
      Object.fromEntries(
        [
          "spec.memory_mib",
          "delete_protection",
          "status.state",
          "createTime",
          "age",
          "spec.nics.name",
          "net.in",
          "link.rtt",
        ].map((id) => [id, text(id)]),
      ),
    ).toEqual({
      "spec.memory_mib": "4G",
      delete_protection: "yes",
      "status.state": "running",
      createTime: "1m30s",
      age: "1m30s",
      "spec.nics.name": "eth0,eth1",
      "net.in": "-",
      "link.rtt": undefined,
    });
  });

  it("are all in their full width in a wide table, where walking along scrolls and the first stays", () => {
    const made = onInstances();
    const { model, press } = made;
    press("ctrl-w");
    const last = titles(made).at(-1) ?? "";
    const lastTitle = tableOf(model).columns.at(-1)?.title ?? "";
    expect(titles(made).length).toBeGreaterThan(instanceKind.columns.length - 1);
    expect(header(made, 80)).not.toContain(lastTitle);
    press("left");
    expect(tableOf(model).columns[tableOf(model).columnCursor]?.id).toBe(last);
    expect(header(made, 80)).toContain(lastTitle);
    expect(header(made, 80)).toMatch(/^ +NAME/);
    press("esc", "ctrl-w");
    expect(titles(made)).toEqual(instanceKind.columns.map(({ id }) => id));
  });

  it("follow the file while the table is open", async () => {
    const directory = await mkdtemp(join(tmpdir(), "zt-tables-"));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    const made = makeProgram({}, undefined, new Settings(directory));
    feedFleet(made.model, { hosts: 1, instancesPerHost: 2, nowMs: made.model.nowMs });
    made.press("2");
    await writeFile(join(directory, "tables.yaml"), "instance:\n  columns: [state, name, nonsense]\n");
    expect(await made.program.settings.look()).toEqual([]);
    textOf(made.model.screen);
    expect(titles(made)).toEqual(["state", "name"]);
    made.press("S");
    await made.program.settings.put("aliases", ["x"], "hosts");
    expect(await readFile(join(directory, "tables.yaml"), "utf8")).toContain("by: state");
  });
});

describe("marks", () => {
  it("are made by range, turned round, and kept over filters, which is said", () => {
    const { model, press } = onInstances();
    press("space", "down", "down", "ctrl-v");
    expect(tableOf(model).marked.size).toBe(4);
    press("*");
    expect(tableOf(model).marked.size).toBe(4);
    press("/", ..."vm1", "enter", "ctrl-a");
    expect(tableOf(model).marked.size).toBe(5);
    expect(
      model.screen
        .draw(100, 20)
        .facts?.map(({ text }) => text)
        .join(""),
    ).toContain("5 marked, 3 of them not shown");
    press("ctrl-a");
    expect(tableOf(model).marked.size).toBe(3);
  });

  it("that are not shown are named before anything happens, also when it is one alone that needs no consent", () => {
    const { model, gateway, press } = onInstances();
    press("down", "space", "/", ..."vm0", "enter", "s");
    const { prompt } = model;
    if (prompt?.type !== "confirm") throw new Error("it must be confirmed");
    const lines = confirmLines(prompt, 80, 20).map((line) => line.map(({ text }) => text).join(""));
    expect(lines.join("\n")).toMatch(/Marked, but not shown by the filter \(1\)\n +alpha\/vm1/);
    expect(gateway.calls).toEqual([]);
  });
});

describe("faults only", () => {
  it("leaves what warns or is broken, as it changes", () => {
    const { model, press } = onInstances();
    press("!");
    expect(tableOf(model).rows(model.nowMs).length).toBe(0);
    expect(textOf(model.screen).join("\n")).toContain("nothing here asks for a look");
    const name = "hosts/alpha/instances/vm0";
    model.fleet.apply(
      upsertWhole({ name, status: { state: InstanceState.INSTANCE_STATE_FAILED, reason: "it broke" } }),
      model.nowMs,
    );
    const shown = tableOf(model).rows(model.nowMs);
    expect([shown.length, shown.at(0)?.name]).toEqual([1, name]);
    press("esc");
    expect(tableOf(model).rows(model.nowMs).length).toBe(8);
  });
});

describe("views", () => {
  it("keep filter, columns and order under a name, are completed and opened, and are not the look of the kind", () => {
    const made = onInstances();
    const { model, program, press } = made;
    press(":", ...spell("vm beta /state=stopped"), "enter", "right", "\\", "M");
    press(":", ...spell("save-view night"), "enter");
    expect(model.notice?.text).toContain(":view night opens it");
    const kept = titles(made);
    press(":", ..."as-usual", "enter", "1", ":", ...spell("view ni"), "tab", "enter");
    expect(model.screen.title()).toBe("night: instances");
    expect(titles(made)).toEqual(kept);
    expect(tableOf(model)).toMatchObject({ filterText: "state=stopped", scope: { host: "beta" } });
    expect(tableOf(model).sorting[0]?.column.id).toBe("memory");
    press("N");
    expect(program.settings.values.tables).toEqual({});
    expect(model.screen.line?.()).toBe("view night");
    press(":", ..."view", "enter", "enter");
    expect(tableOf(model).sorting[0]?.column.id).toBe("memory");
    press(":", ...spell("delete-view night"), "enter", ":", ...spell("view night"), "enter");
    expect(model.notice?.text).toContain('there is no view "night"');
  });
});

describe("jumps", () => {
  it("lead from a row to what is related, and back", async () => {
    const { model, program, press } = onInstances();
    await program.settings.put("jumps", ["others there"], { kinds: ["instance"], to: "instances {host} /{id}" });
    press("down", "'");
    expect(textOf(model.screen).join("\n")).toContain("others there");
    press("esc", ":", ...spell("jump others there"), "enter");
    expect(tableOf(model)).toMatchObject({ filterText: "vm1", scope: { host: "alpha" } });
    press("[", ":", ...spell("jump its host"), "enter");
    expect(model.screen).toBeInstanceOf(DetailScreen);
    expect(model.screen.subject()?.name).toBe("hosts/alpha");
    press("[");
    expect(tableOf(model).current(model.nowMs)?.id).toBe("vm1");
    // What it was chosen from is no place to go back to.
    press("'", "enter");
    expect(model.screen).toBeInstanceOf(DetailScreen);
    press("[");
    expect(tableOf(model).current(model.nowMs)?.id).toBe("vm1");
    // Nor is where that was left again another place than it was: one step back is one place.
    press("3", "2", "down", "'", "esc", "'", "enter", "[");
    expect(tableOf(model).kind.kind).toBe("instance");
    press("[");
    expect(tableOf(model).kind.kind).toBe("lan");
  });

  it("take a hostile label for no more than a word, and leave out what the row does not have", () => {
    const { model } = onInstances();
    const name = "hosts/alpha/instances/vm0";
    model.fleet.apply(upsertWhole({ name, labels: { role: "web /x beta\n:quit" } }), model.nowMs);
    const row = model.fleet.find("instance", name);
    if (row === undefined) throw new Error("it is there");
    const jumps = {
      twins: { kinds: ["instance"], to: "instances /role={label.role}" },
      none: { kinds: ["instance"], to: "instances /role={label.nothing}" },
      others: { kinds: ["lan"], to: "lans" },
    };
    const found = destinationsOf(row, { kind: instanceKind, jumps, context: model.context });
    expect(found).toEqual([{ name: "twins", line: "instances /role=web" }]);
  });
});
