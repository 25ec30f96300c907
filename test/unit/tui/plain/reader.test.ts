import { describe, expect, it } from "vitest";
import { HostState } from "../../../../proto/gen/zor/v1/host.js";
import { InstanceState } from "../../../../proto/gen/zor/v1/instance.js";
import { eventually } from "../../../helpers/eventually.js";
import { removed, upsertHost, upsertInstance } from "../steps.js";
import { makePlain } from "./plain.js";

const vm1 = "hosts/alpha/instances/vm1";

describe("reading in lines", () => {
  it("says a table in rows with numbers, a page at a time, and no sign that is only to be seen", () => {
    const { tell, heard } = makePlain({}, 3);
    expect(heard()[0]).toBe("hosts, 2");
    const [heading, first, , , rest] = tell(":instances");
    expect(heading).toBe("instances, 8");
    expect(first).toMatch(/^1\. alpha\/vm0, running, driver qemu\/tcg, /);
    expect(rest).toBe("3 of 8; more says the next");
    expect(tell("more")[0]).toMatch(/^4\. alpha\/vm3, stopped, /);
    expect(tell("more").at(-1)).toMatch(/^8\. beta\/vm3/);
    expect(tell("more")).toEqual(["that was all; list says it again"]);
    const all = ["list", "map", "xray", "pulse", "links", "?", "messages", "operations"].flatMap(tell);
    expect(all.join("").replaceAll(/[\x20-\x7e]/g, "")).toBe("");
  });

  it("chooses by number and name, keeps numbers while rows move, and describes what was chosen", () => {
    const { tell, model } = makePlain();
    tell("instances");
    model.fleet.apply(upsertInstance("alpha", "aaa"), model.nowMs);
    expect(tell("2")[0]).toMatch(/^2\. alpha\/vm1, stopped, /);
    expect(tell("")[0]).toBe("instance alpha/vm1, heard 0s ago");
    expect(tell("back")).toEqual(["instances, 9", expect.stringMatching(/^2\. alpha\/vm1, stopped/)]);
    expect(tell("beta/vm2")[0]).toMatch(/^beta\/vm2, running/);
    expect(tell("next")[0]).toMatch(/^8\. beta\/vm3/);
    expect(tell("99")).toEqual(["there is no 99; say 1 to 8"]);
    expect(tell("vm1")).toEqual([`several are called so, such as ${vm1} and hosts/beta/instances/vm1`]);
  });

  it("filters, and a filter that is none changes nothing", () => {
    const { tell } = makePlain();
    tell("instances");
    expect(tell("/state=stopped")).toEqual([
      "instances, 4 of 8, /state=stopped",
      ...[1, 2, 3, 4].map((n) => expect.stringMatching(new RegExp(`^${n}\\. `)) as string),
    ]);
    expect(tell("/cpu>>3").join(" ")).toMatch(/the filter is not understood, at character \d+/);
    expect(tell("list")[0]).toBe("instances, 4 of 8, /state=stopped");
    expect(tell("/")[0]).toBe("instances, 8");
    expect(tell("instances beta /vm2")).toHaveLength(2);
    expect(tell("instances")[0]).toBe("instances, 8");
    expect(tell("filter vm1")[0]).toBe("instances, 2 of 8, /vm1");
    expect(tell("filter /state=stopped")[0]).toBe("instances, 4 of 8, /state=stopped");
    expect(tell("filter cpu>>3").join(" ")).toMatch(/the filter is not understood/);
  });

  it("takes what follows a word that searches for what is searched, on every screen", () => {
    const { tell, model } = makePlain();
    tell("map");
    expect(tell("find vm9")[0]).toMatch(/^map, .*\/vm9 matches nothing/);
    expect(tell("find vm1 host=beta").join(" ")).toMatch(/^map, .*\/vm1 host=beta 1 of 1 beta\/vm1/);
    expect(model.screen.subject()?.name).toBe("hosts/beta/instances/vm1");
    tell("xray");
    expect(tell("filter vm3").join(" ")).toMatch(/vm3/);
    expect(model.prompt).toBeUndefined();
  });

  it("acts only on what was named, and says what it changes before it does", async () => {
    const { tell, gateway, model, reader } = makePlain();
    tell("instances");
    expect(tell("stop")).toEqual(["stop which? Say its number first, or stop and a name"]);
    expect(tell("stop 1")).toEqual([
      "Stop instance alpha/vm0?",
      expect.stringMatching(/^alpha\/vm0, running/),
      "type y to go ahead; anything else leaves everything as it is",
    ]);
    expect(tell("no")).toEqual(["nothing done: stop was not confirmed"]);
    expect(gateway.calls).toEqual([]);
    tell("start alpha/vm1");
    await eventually(() => expect(gateway.calls).toEqual([`start ${vm1}`]));
    reader.news.take();
    model.fleet.apply(upsertInstance("alpha", "vm1", InstanceState.INSTANCE_STATE_RUNNING), model.nowMs);
    expect(reader.news.take()).toEqual(["instance alpha/vm1: running, after start"]);
  });

  it("says what was asked for and has happened, however soon", () => {
    const { tell, model, reader } = makePlain();
    tell("instances");
    tell("stop 1");
    expect(tell("y")).toEqual(["asked"]);
    model.fleet.apply(upsertInstance("alpha", "vm0", InstanceState.INSTANCE_STATE_STOPPED), model.nowMs);
    expect(reader.news.take()).toEqual(["instance alpha/vm0: stopped, after stop"]);
    expect(reader.news.take()).toEqual([]);
  });

  it("finds what is named in full also where the filter leaves it out", () => {
    const { tell, done } = makePlain();
    tell("instances /vm0");
    tell("console alpha/vm1");
    expect(done).toEqual([`console ${vm1}`]);
    tell("instances /vm0");
    expect(tell("stop alpha/vm2")[0]).toMatch(/^Stop instance alpha\/vm2/);
    tell("n");
    expect(tell("stop vm2")).toEqual(["there is no vm2 here"]);
  });

  it("wants the number of many typed, by ranges and marks", () => {
    const { tell, model } = makePlain();
    tell("instances");
    expect(tell("delete 1-3")).toContain("type 3 to go ahead; anything else leaves everything as it is");
    tell("y");
    expect(model.prompt).toBeUndefined();
    expect(tell("mark 1 beta/vm0")).toEqual(["instances, 8, 2 marked"]);
    expect(tell("delete").at(-1)).toMatch(/^type 2 to go ahead/);
    tell("2");
    expect(model.fleet.pending.size).toBe(2);
  });

  it("changes nothing where it may only look, and never takes a verb for the program's own", () => {
    const { tell, done } = makePlain({ readOnly: true });
    expect(tell("stop 1")).toEqual(["stop is for instances: say instances first"]);
    tell("instances");
    expect(tell("stop 1")).toEqual(["read-only: nothing can be changed from here"]);
    expect(done).toEqual([]);
  });

  it("does what is asked of a thing by its name to that thing, whatever the screen is about", () => {
    const { tell, done, model } = makePlain();
    tell("instances");
    tell("1");
    expect(tell("details")[0]).toMatch(/^instance alpha\/vm0/);
    tell("console alpha/vm1");
    expect(done).toEqual([`console ${vm1}`]);
    expect(model.screen.subject()?.name).toBe(vm1);
    tell("back");
    expect(tell("alpha/vm2").join(" ")).toMatch(/instances, 8.* alpha\/vm2, running/);
    expect(tell("stop")[0]).toMatch(/^Stop instance alpha\/vm2\?/);
    // What is under the cursor there is still what was looked at before.
    tell("n");
    tell("back");
    expect(tell("stop")[0]).toMatch(/^Stop instance alpha\/vm0\?/);
  });

  it("gives the terminal to a console, and says of a picture that it is one", () => {
    const { tell, done } = makePlain();
    tell("instances");
    tell("console 2");
    expect(done).toEqual([`console ${vm1}`]);
    tell("hosts");
    tell("shell 1");
    expect(done.at(-1)).toBe("zor shell alpha");
  });

  it("says what changes, a few lines a second, and counts the rest", () => {
    const { tell, model, reader, clock } = makePlain();
    tell("watch all");
    model.fleet.apply(upsertInstance("alpha", "vm1", InstanceState.INSTANCE_STATE_RUNNING), model.nowMs);
    model.fleet.apply(removed("hosts/alpha/instances/vm2"), model.nowMs);
    expect(reader.news.take()).toEqual(["instance alpha/vm1: stopped -> running", "instance alpha/vm2: gone"]);
    clock.nowMs += 5000;
    model.fleet.apply(upsertHost("beta", HostState.HOST_STATE_UNREACHABLE, new Date(clock.nowMs - 3000)), model.nowMs);
    expect(reader.news.take()[0]).toBe("host beta: ready -> unreachable, last seen 3s ago");
    for (let number = 0; number < 40; number += 1)
      model.fleet.apply(upsertInstance("alpha", `new${number}`), model.nowMs);
    let said: readonly string[] = [];
    for (let second = 0; second < 8; second += 1) {
      clock.nowMs += 1000;
      const now = reader.news.take();
      expect(now.length).toBeLessThanOrEqual(3);
      said = [...said, ...now];
    }
    expect(said.at(-1)).toMatch(/^and \d+ more changes; list says how it is now$/);
    expect(reader.interrupt()).toBe(true);
    expect(reader.interrupt()).toBe(false);
  });

  it("says when the hub is lost, with the age of what is known, and when it is back", () => {
    const { model, reader, clock } = makePlain();
    clock.nowMs += 12_000;
    const lost = { phase: "lost", sinceMs: model.nowMs, reason: "connection refused", retryAtMs: undefined } as const;
    model.fleet.setConnection(lost, model.nowMs);
    expect(reader.news.take()).toEqual([
      "hub test: lost: connection refused; what is said is as it was 12s ago; it is tried again",
    ]);
    model.fleet.setConnection({ ...lost, phase: "live", reason: "" }, model.nowMs);
    expect(reader.news.take()).toEqual(["hub test: it is back"]);
  });

  it("teaches what can be said, and completes it", () => {
    const { tell, reader } = makePlain();
    tell("instances");
    expect(tell("help").join("\n")).toMatch(/Actions here: start, stop/);
    expect(tell("help stop")[0]).toMatch(/^stop or .*asks first/);
    expect(reader.completions(":inst")).toContain(":instances");
    expect(reader.completions("stop alpha/vm")).toEqual([0, 1, 2, 3].map((n) => `stop alpha/vm${n}`));
    expect(reader.completions("/sta")).toContain("/state");
    expect(tell("instnaces")[0]).toMatch(/did you mean instances/);
    expect(reader.hasFailed).toBe(true);
  });

  it("makes something by its fields, each with what it is for and what is wrong with it", async () => {
    const { tell, model, reader, heard } = makePlain();
    tell("lans");
    tell("new");
    await eventually(() => expect(model.screen.title()).toBe("new lan"));
    reader.look();
    expect(heard().join("\n")).toMatch(/1\. host: .*\n2\. name: nothing/);
    expect(tell("2 Bad_Name")[0]).toMatch(/^name: Bad_Name/);
    expect(tell("name office")[0]).toBe("name: office");
    expect(tell("2").join(" ")).toMatch(/lower-case letters/);
    expect(tell("cancel")[0]).toMatch(/^leave without saving/);
    tell("y");
    expect(model.screen.title()).toBe("lans");
  });
});
