import { describe, expect, it } from "vitest";
import { hintLine } from "../../../../tui/app/footer.js";
import { makeProgram, spell, type TestProgram, tableOf } from "../program.js";
import { feedFleet } from "../steps.js";

function typing(text: string): TestProgram {
  const made = makeProgram();
  feedFleet(made.model, { hosts: 2, instancesPerHost: 4, nowMs: made.model.nowMs });
  made.press("2", "/", ...spell(text));
  return made;
}

const hint = ({ model, controller }: TestProgram, width = 80): string =>
  hintLine(model, controller.commands, width, controller.completions())
    .map(({ text }) => text)
    .join("");

describe("tab in a filter", () => {
  it("goes through what may follow, which stands below it, there and back", () => {
    const made = typing("host=");
    const { model, press } = made;
    expect(hint(made)).toMatch(/^ tab alpha {2}beta/);
    press("tab");
    expect(model.prompt?.type === "filter" && model.prompt.text).toBe("host=alpha");
    expect(tableOf(model).filterText).toBe("host=alpha");
    expect(hint(made)).toMatch(/^ tab alpha {2}beta/);
    press("tab");
    expect(tableOf(model).filterText).toBe("host=beta");
    expect(hint(made)).toMatch(/^ tab beta {2}alpha/);
    press("tab", "shift-tab");
    expect(tableOf(model).filterText).toBe("host=beta");
    // What is typed ends it.
    press("space", ..."an", "tab");
    expect(tableOf(model).filterText).toBe("host=beta and");
    press("esc");
    expect(tableOf(model).filterText).toBe("");
  });

  it.each([
    ["stat", "state"],
    ["state=ru", "state=running"],
    ["sort by cp", "sort by cpu"],
    ["vm1 or state!=st", "vm1 or state!=stopped"],
    ["mem>4G", "mem>4GiB"],
    ["52:54:00", "52:54:00"],
  ])("%j becomes %j", (text, next) => {
    const { model, press } = typing(text);
    press("tab");
    expect(model.prompt?.type === "filter" && model.prompt.text).toBe(next);
  });

  it("says how to leave it where nothing was typed yet, and never more than a line", () => {
    expect(hint(typing(""))).toContain("tab completes");
    expect(hint(typing("s"), 30).length).toBeLessThanOrEqual(30);
  });
});
