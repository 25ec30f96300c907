import { describe, expect, it } from "vitest";
import { lookOfTerminal, styleOf, withSkin } from "../../../../tui/app/theme.js";
import { findSkin, skins, tones } from "../../../../tui/kit/skin.js";
import { toConsole } from "../../../../tui/kit/text/ascii.js";
import { textWidth } from "../../../../tui/kit/text/text-width.js";
import { chosenSkin } from "../../../../tui/settings/chosen-skin.js";
import { makeProgram, spell, textOf } from "../program.js";

const terminal = { unicode: true, colors: true };

describe("skins", () => {
  it("have a style for each tone, and those for trouble differ from what is well", () => {
    for (const skin of Object.values(skins)) {
      for (const tone of tones) expect(skin.tones[tone]).toBeDefined();
      expect(skin.tones.bad).not.toEqual(skin.tones.good);
    }
  });

  it("are extended by a user's, also one of their own or of the same name; a circle is none", () => {
    const users = {
      mine: { extends: "light", tones: { good: { color: "blue" } } },
      more: { extends: "mine", ascii: true },
      dark: { tones: { warn: { color: "white" } } },
      one: { extends: "two" },
      two: { extends: "one" },
      lost: { extends: "nothing" },
    };
    expect(findSkin("more", users)).toMatchObject({
      ascii: true,
      tones: { good: { color: "blue" }, warn: { color: "magenta" } },
    });
    expect(findSkin("dark", users)?.tones).toMatchObject({ warn: { color: "white" }, good: { color: "green" } });
    for (const name of ["one", "lost", "nothing", "constructor"]) expect(findSkin(name, users)).toBeUndefined();
  });

  it("make no terminal do what it cannot: NO_COLOR has no colours in any, and none has less than ASCII", () => {
    const values = { settings: { skin: "high-contrast", typeNumberAbove: 20 }, skins: {} };
    const look = withSkin({ ...terminal, colors: false }, values, "demo");
    for (const tone of tones) {
      expect(styleOf(tone, look)).not.toHaveProperty("color");
      expect(styleOf(tone, look)).not.toHaveProperty("backgroundColor");
    }
    expect(withSkin(terminal, { ...values, settings: { ...values.settings, skin: "ascii" } }, "demo").unicode).toBe(
      false,
    );
    expect(withSkin({ ...terminal, unicode: false }, values, "demo").unicode).toBe(false);
    expect(
      styleOf("good", withSkin(terminal, { ...values, settings: { ...values.settings, skin: "lost" } }, "demo")),
    ).toEqual({
      color: "green",
    });
  });

  it("are chosen by :skin, and kept", () => {
    const { model, program, press } = makeProgram();
    press(":", ...spell("skin light"), "enter");
    expect(program.settings.values.settings.skin).toBe("light");
    press(":", ...spell("skin pink"), "enter");
    expect(model.notice?.text).toContain('there is no skin "pink"');
    press(":", ..."skin", "enter");
    expect(textOf(model.screen).join("\n")).toContain("* light");
    press("enter");
    expect(program.settings.values.settings.skin).toBe("dark");
  });
});

describe("the skin of a context", () => {
  const contextSkins = { paris: "light", "prod-*": "high-contrast", "*-old-*x": "none", "p*": "ascii" };
  const values = { settings: { typeNumberAbove: 20, skin: "colour-blind", contextSkins } };

  it.each([
    ["paris", "light"],
    ["prod-1", "high-contrast"],
    ["a-old-bx", "none"],
    ["a-old-b", "colour-blind"],
    ["prague", "ascii"],
    ["rome", "colour-blind"],
    ["rome+prod-2", "high-contrast"],
    ["constructor", "colour-blind"],
  ])("of %s is %s", (context, skin) => {
    expect(chosenSkin(values, context)).toBe(skin);
  });

  it("is dark where nothing is said", () => {
    expect(chosenSkin({ settings: { typeNumberAbove: 20 } }, "paris")).toBe("dark");
  });

  it("is chosen with here, drawn at that context alone, and taken away", () => {
    const { model, program, press } = makeProgram();
    const { context } = model.session;
    const say = (line: string): void => press(":", ...spell(line), "enter");
    const drawn = (at: string): string => chosenSkin(program.settings.values, at);
    say("skin high-contrast here");
    expect([drawn(context), drawn("another")]).toEqual(["high-contrast", "dark"]);
    say("skin light");
    expect(model.notice?.text).toContain(`${context} has a skin of its own, high-contrast`);
    expect([drawn(context), drawn("another")]).toEqual(["high-contrast", "light"]);
    say("skin usual here");
    expect([drawn(context), drawn("another")]).toEqual(["light", "light"]);
    say("skin pink here");
    expect(model.notice?.text).toContain('there is no skin "pink"');
  });
});

describe("the console of Linux", () => {
  it("is shown what its font has, as wide as before", () => {
    expect(lookOfTerminal({ TERM: "linux", LANG: "C.UTF-8" })).toEqual({ ...terminal, console: true });
    const text = "❯ ● running ◐ ╭──╮ ┏━┓ ═ ↑ … 日本";
    expect(toConsole(text)).toBe("> ■ running ~ ┌──┐ ┌─┐ ═ ↑ ~ ????");
    expect(textWidth(toConsole(text))).toBe(textWidth(text));
  });
});
