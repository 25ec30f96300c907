import { messageOf } from "../../../lib/errors.js";
import type { Command } from "../../kit/keys/command.js";
import { findSkin, skins } from "../../kit/skin.js";
import { MenuScreen } from "../menu/menu-screen.js";
import type { Program } from "../program.js";

/** The command that chooses how everything is drawn. */
export function skinCommands(program: Program): readonly Command[] {
  const names = (): readonly string[] => [
    ...new Set([...Object.keys(skins), ...Object.keys(program.settings.values.skins)]),
  ];
  return [
    {
      id: "skin",
      keys: [],
      words: ["skin"],
      argument: "[NAME]",
      title: "how everything is drawn: dark, light, high-contrast, colour-blind, none, ascii, or your own",
      group: "Program",
      choices: names,
      run: ({ argument }) => {
        if (argument === "") program.model.push(skinMenu(program, names));
        else chooseSkin(program, argument);
      },
    },
  ];
}

function skinMenu(program: Program, names: () => readonly string[]): MenuScreen {
  return new MenuScreen(program, {
    title: "skins",
    stays: true,
    items: () => {
      const { settings, skins: users } = program.settings.values;
      return names().map((name) => ({
        text: name === (settings.skin ?? "dark") ? `* ${name}` : `  ${name}`,
        detail: Object.hasOwn(users, name) ? "of skins.yaml" : "",
        run: () => chooseSkin(program, name),
      }));
    },
  });
}

function chooseSkin({ model, settings }: Program, name: string): void {
  if (findSkin(name, settings.values.skins) === undefined) {
    model.say(`there is no skin "${name}"; :skin shows them, and skins.yaml makes more`, "warn");
    return;
  }
  settings.put("settings", ["skin"], name).catch((error: unknown) => {
    model.say(`the skin is not kept for the next run: ${messageOf(error)}`, "warn");
    model.changed();
  });
}
