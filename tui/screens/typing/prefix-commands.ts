import type { Command } from "../../kit/keys/command.js";

/** Bound while what is typed goes to a guest. */
export function prefixCommands(leave: () => void): readonly Command[] {
  return [
    {
      keys: ["ctrl-]"],
      title: "while typing to a guest: the next keys are for zor",
      group: "Program",
      hint: { word: "then a key is for zor: esc leaves, i goes on typing, ? tells more", rank: 0 },
      run: leave,
    },
  ];
}
