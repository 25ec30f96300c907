import { describe, expect, it } from "vitest";
import { expandAlias } from "../../../../tui/app/command-line.js";
import { messageLines } from "../../../../tui/app/footer.js";
import { LogScreen } from "../../../../tui/screens/log/log-screen.js";
import { MessagesScreen } from "../../../../tui/screens/messages/messages-screen.js";
import { makeProgram, spell, type TestProgram, tableOf, textOf } from "../program.js";
import { feedFleet } from "../steps.js";

function onInstances(): TestProgram {
  const made = makeProgram();
  feedFleet(made.model, { hosts: 2, instancesPerHost: 4, nowMs: made.model.nowMs });
  made.press("2");
  return made;
}

describe("what was typed before", () => {
  it("comes back by up and down, and what was being typed with it", () => {
    const { model, press } = onInstances();
    press(":", ..."lans", "enter", ":", ..."hosts", "enter", ":", "x", "up");
    expect(model.prompt?.text).toBe("hosts");
    press("up", "up");
    expect(model.prompt?.text).toBe("lans");
    press("down", "down");
    expect(model.prompt?.text).toBe("x");
    press("esc", "/", ..."vm1", "enter", "/", "ctrl-u", "up");
    expect(model.prompt).toMatchObject({ type: "filter", text: "vm1" });
    expect(tableOf(model).filterText).toBe("vm1");
  });

  it("is searched by ctrl-r, further back each time; esc brings back what was being typed", () => {
    const { model, press } = onInstances();
    press(":", ...spell("lans alpha"), "enter", ":", ...spell("lans beta"), "enter", ":", ..."hosts", "enter");
    press(":", "x", "ctrl-r", ..."lan");
    expect(model.prompt?.text).toBe("lans beta");
    expect(
      messageLines(model, [], 80, "")[0]
        ?.map(({ text }) => text)
        .join(""),
    ).toContain('(search "lan") :lans beta');
    press("ctrl-r");
    expect(model.prompt?.text).toBe("lans alpha");
    press("ctrl-r");
    expect(model.prompt?.text).toBe("lans alpha");
    press("esc");
    expect(model.prompt?.text).toBe("x");
    press("ctrl-r", ..."host", "enter");
    expect(tableOf(model).kind.kind).toBe("host");
  });
});

describe("aliases", () => {
  it.each([
    ["web", "instances /web"],
    ["  web beta ", "instances /web beta"],
    ["on alpha", "instances alpha /state=running"],
    ["twice", "instances /web"],
    ["hosts", "hosts -x"],
    ["loop", "loop b a"],
    ["constructor", "constructor"],
    ["on $& $1", "instances $& $1 /state=running"],
  ])("%j is %j", (line, meaning) => {
    const aliases = {
      web: "instances /web",
      on: "instances {} /state=running",
      twice: "web",
      hosts: "hosts -x",
      loop: "pool a",
      pool: "loop b",
    };
    expect(expandAlias(line, aliases)).toBe(meaning);
  });

  it("are completed and run", async () => {
    const { model, program, press } = onInstances();
    await program.settings.put("aliases", ["mine"], "instances beta /vm1");
    press(":", ..."mi", "tab", "enter");
    expect(tableOf(model).scope?.host).toBe("beta");
    expect(tableOf(model).filterText).toBe("vm1");
  });
});

describe("where somebody has been", () => {
  it("is gone back along, and ahead again, over tables, details and logs", () => {
    const { model, press } = onInstances();
    press("3", "2", "l");
    expect(model.screen).toBeInstanceOf(LogScreen);
    press("esc", "[");
    expect(model.screen).toBeInstanceOf(LogScreen);
    press("[", "[");
    expect(tableOf(model).kind.kind).toBe("lan");
    press("[", "[", "[");
    expect(model.notice?.text).toContain("no place before");
    press("]", "]");
    expect(tableOf(model).kind.kind).toBe("lan");
    press("]", "]", "]", "]");
    expect(tableOf(model).kind.kind).toBe("instance");
    expect(model.notice?.text).toContain("no place ahead");
  });

  it("is bookmarked for the next run", async () => {
    const { model, program, press } = onInstances();
    press("`");
    expect(model.notice?.text).toContain("no run");
    press(":", ...spell("instances beta /vm1"), "enter");
    expect(model.screen.line?.()).toBe("instances beta /vm1");
    await program.remembered.leave("test", model.screen.line?.() ?? "");
    press("1", "`");
    expect(model.screen.line?.()).toBe("instances beta /vm1");
  });
});

describe("the help", () => {
  it("is searched by words; esc shows everything again", () => {
    const { model, press } = onInstances();
    press("?", "/", ...spell("REBOOTS never"), "enter");
    expect(textOf(model.screen).join("")).toContain("nothing here has");
    press("/", "ctrl-u", ...spell("mark range"), "esc", "/", "ctrl-u", ...spell("last mark"), "enter");
    expect(textOf(model.screen)).toEqual([expect.stringMatching(/\^v +mark all rows from the last mark/)]);
    press("esc");
    expect(textOf(model.screen).length).toBeGreaterThan(30);
    press("esc");
    expect(tableOf(model).kind.kind).toBe("instance");
  });
});

describe("what is listed", () => {
  it("has in the help all tables with their words, and the user's own words and views", async () => {
    const { model, program, press } = makeProgram();
    await program.settings.put("aliases", ["mine"], "instances beta /vm1");
    await program.settings.put("views", ["night"], { table: "instances", filter: "state=stopped" });
    press("?");
    const text = textOf(model.screen, 120, 400).join("\n");
    expect(text).toMatch(/^ +:instances +:instance.* :vm/m);
    expect(text).toMatch(/^ +:mine +:instances beta \/vm1$/m);
    expect(text).toMatch(/^ +:view night +instances +\/state=stopped$/m);
  });

  it("is narrowed in menus by words, until Escape", () => {
    const { model, press } = makeProgram();
    press("2", ":", ..."columns", "enter");
    const all = textOf(model.screen).length;
    press("/", ..."ADDR", "enter");
    expect(textOf(model.screen).join("\n")).toMatch(/^❯ \[x\] ADDRESS +address$/);
    press("/", ..."zz", "enter");
    expect(textOf(model.screen).join("\n")).toContain('nothing here has "ADDRzz"; esc shows everything');
    press("esc");
    expect(textOf(model.screen)).toHaveLength(all);
    press("esc");
    expect(model.screen.title()).toBe("instances");
  });

  it("says where there is nothing how it is made here, but not to who may only look", () => {
    for (const readOnly of [false, true]) {
      const { model, press } = makeProgram({ readOnly });
      feedFleet(model, { hosts: 0, instancesPerHost: 0, nowMs: model.nowMs });
      press("3");
      expect(textOf(model.screen).join("\n").includes("n makes one here")).toBe(!readOnly);
    }
  });
});

describe("messages", () => {
  it("are kept with their level, counted when they repeat, and filtered", () => {
    const { model, press } = onInstances();
    model.say("all is well");
    model.say("all is well");
    model.complain("tui.test", "", "it broke");
    press(":", ..."messages", "enter");
    expect(model.screen).toBeInstanceOf(MessagesScreen);
    const lines = textOf(model.screen);
    expect(lines[0]).toMatch(/✗ error +it broke$/);
    expect(lines[1]).toMatch(/info +all is well \(2 times\)$/);
    press("/", ..."error", "enter");
    expect(textOf(model.screen)).toHaveLength(1);
    press("esc", "esc");
    expect(textOf(model.screen).length).toBeGreaterThan(1);
    press("esc");
    expect(tableOf(model).kind.kind).toBe("instance");
  });

  it("grow dim before they go; errors do not", () => {
    const { model, clock } = onInstances();
    model.say("soon gone", "warn");
    clock.nowMs += 5000;
    expect(messageLines(model, [], 80, "")[0]?.[0]?.tone).toBe("dim");
    model.complain("tui.test", "", "it broke");
    clock.nowMs += 19_000;
    expect(messageLines(model, [], 80, "")[0]?.[0]?.tone).toBe("bad");
  });
});
