import type { Command } from "../kit/keys/command.js";
import { jumpCommands } from "./jumps/jump-commands.js";
import { MessagesScreen } from "./messages/messages-screen.js";
import type { Program } from "./program.js";
import { viewCommands } from "./views/view-commands.js";

/** The commands, bound on every screen, about how a person works here: where they have been, what was said, what they have set. */
export function deskCommands(program: Program): readonly Command[] {
  const { model } = program;
  const goAlong = (by: -1 | 1, otherwise: string): void => {
    if (!model.goAlong(by)) model.say(otherwise);
  };
  return [
    ...viewCommands(program),
    ...jumpCommands(program),
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
