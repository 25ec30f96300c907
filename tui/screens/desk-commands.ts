import { formatAge } from "../kit/format.js";
import type { Command } from "../kit/keys/command.js";
import { MenuScreen } from "./menu/menu-screen.js";
import { jumpCommands } from "./jumps/jump-commands.js";
import { contextCommands } from "./context-commands.js";
import { copyCommands } from "./copying/copy-commands.js";
import { MessagesScreen } from "./messages/messages-screen.js";
import { pluginCommands } from "./plugins/plugin-commands.js";
import type { Program } from "./program.js";
import { skinCommands } from "./skins/skin-commands.js";
import { viewCommands } from "./views/view-commands.js";

/** The commands, bound on every screen, about how a person works here: where they have been, what was said, what they have set. */
export function deskCommands(program: Program): readonly Command[] {
  const { model } = program;
  const goAlong = (by: -1 | 1, otherwise: string): void => {
    if (!model.goAlong(by)) model.say(otherwise);
  };
  return [
    ...viewCommands(program),
    ...contextCommands(program),
    ...jumpCommands(program),
    ...copyCommands(program),
    ...pluginCommands(program),
    ...skinCommands(program),
    {
      id: "place.back",
      keys: ["["],
      title: "back to where you were before, as in a browser",
      group: "Look",
      run: () => goAlong(-1, "there is no place before this one"),
    },
    {
      id: "place.forward",
      keys: ["]"],
      title: "ahead again",
      group: "Look",
      run: () => goAlong(1, "there is no place ahead of this one"),
    },
    {
      id: "place.last",
      keys: ["`"],
      words: ["last"],
      title: "to where the last run was left",
      group: "Look",
      run: () => {
        const place = program.remembered.placeOf(model.session.context);
        if (place === undefined) model.say("no run with this context has been left yet");
        else program.run(place);
      },
    },
    {
      id: "undo",
      keys: ["ctrl-u"],
      words: ["undo"],
      title: "undo what was done last, of what has an inverse: pausing, protecting, moving, attaching, changing fields",
      group: "Act",
      changes: true,
      run: () => program.requests.undoLast(),
    },
    {
      id: "undo.list",
      keys: [],
      words: ["undos"],
      title: "what can be undone, the newest first",
      group: "Look",
      run: () => {
        const items = [...program.requests.undo.all].reverse().map(({ title, atMs, steps }) => ({
          text: title,
          detail: `${formatAge(model.nowMs - atMs)} ago, by ${[...steps.values()][0]?.verb ?? ""}`,
          run: () => model.say("the newest is undone first: ctrl-u"),
        }));
        model.push(new MenuScreen(program, { title: "to undo", empty: "nothing", items: () => items }));
      },
    },
    {
      id: "messages",
      keys: [],
      words: ["messages"],
      title: "everything that was said at the bottom, with its age",
      group: "Look",
      run: () => {
        if (!(model.screen instanceof MessagesScreen)) model.push(new MessagesScreen(program));
      },
    },
  ];
}
