import { messageOf } from "../../../lib/errors.js";
import { parseForward } from "../../kit/input/forward.js";
import type { Command } from "../../kit/keys/command.js";
import type { Program } from "../program.js";
import { WaysScreen } from "./ways-screen.js";

/** Commands about ways into instances. */
export function waysCommands(program: Program): readonly Command[] {
  const { model } = program;
  return [
    {
      keys: [],
      words: ["forwards", "consoles-of"],
      title: "ways into instances: ports of this machine and of the hub that lead there, people at consoles",
      group: "Look",
      run: () => {
        if (!(model.screen instanceof WaysScreen)) model.push(new WaysScreen(program));
      },
    },
    {
      keys: [],
      words: ["forward"],
      argument: "[LOCAL:]PORT",
      title: "lead a port of this machine to a server inside the instance under the cursor",
      group: "Act",
      changes: true,
      run: ({ argument }) => beginForward(program, argument),
    },
  ];
}

function beginForward(program: Program, argument: string): void {
  const { model } = program;
  const row = model.screen.subject();
  if (row?.kind !== "instance") {
    model.say("put the cursor on an instance first, then for example :forward 8080:80", "warn");
    return;
  }
  if (argument === "") {
    const go = (text: string): void => void program.forwards.begin(row.name, parseForward("port", text));
    model.prompt = { ...{ type: "input", text: "", title: "LOCAL:PORT, or PORT for the same here" }, choices: [], go };
    return;
  }
  try {
    void program.forwards.begin(row.name, parseForward("port", argument));
  } catch (error) {
    model.say(messageOf(error), "warn");
  }
}
