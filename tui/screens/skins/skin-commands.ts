import { messageOf } from "../../../lib/errors.js";
import type { Command } from "../../kit/keys/command.js";
import { findSkin, skins } from "../../kit/skin.js";
import { chosenSkin } from "../../settings/chosen-skin.js";
import { MenuScreen } from "../menu/menu-screen.js";
import type { Program } from "../program.js";

/** What takes the skin of a context away: then the one for all is drawn in. */
const usual = "usual";

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
      argument: "[NAME [here]]",
      title:
        "how everything is drawn: dark, light, high-contrast, colour-blind, none, ascii, or your own; here: at this context",
      group: "Program",
      choices: () => [...names(), ...names().map((name) => `${name} here`), `${usual} here`],
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
      const { skins: users } = program.settings.values;
      const { context } = program.model.session;
      const current = chosenSkin(program.settings.values, context);
      const isOwn = Object.hasOwn(program.settings.values.settings.contextSkins ?? {}, context);
      return names().map((name) => ({
        text: name === current ? `* ${name}` : `  ${name}`,
        detail: Object.hasOwn(users, name) ? "of skins.yaml" : "",
        run: () => chooseSkin(program, isOwn ? `${name} here` : name),
      }));
    },
  });
}

function chooseSkin({ model, settings }: Program, argument: string): void {
  const [, name = "", here] = /^(.*?)(?:\s+(here))?$/.exec(argument) ?? [];
  const { context } = model.session;
  const isTaken = here !== undefined && name === usual;
  if (!isTaken && findSkin(name, settings.values.skins) === undefined) {
    model.say(`there is no skin "${name}"; :skin shows them, and skins.yaml makes more`, "warn");
    return;
  }
  const path = here === undefined ? ["skin"] : ["contextSkins", context];
  settings.put("settings", path, isTaken ? undefined : name).catch((error: unknown) => {
    model.say(`the skin is not kept for the next run: ${messageOf(error)}`, "warn");
    model.changed();
  });
  const drawn = chosenSkin(settings.values, context);
  if (isTaken || drawn === name) return;
  model.say(
    `${context} has a skin of its own, ${drawn}: ":skin ${name} here" changes that, ":skin ${usual} here" takes it away`,
  );
}
