import { messageOf } from "../../../lib/errors.js";
import { parseForward } from "../../kit/input/forward.js";
import type { Command } from "../../kit/keys/command.js";
import type { Program } from "../program.js";
import { WaysScreen } from "./ways-screen.js";

/** Commands about ways into instances, and into the fleet for hosts. */
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
    hostCommand(program, "install", "make machines hosts of the fleet, by ssh; this screen is put aside meanwhile"),
    hostCommand(program, "upgrade", "bring hosts to this version, in waves; this screen is put aside meanwhile"),
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

/** A command of zor that works on hosts by ssh, and has a board of its own. */
function hostCommand(program: Program, verb: "install" | "upgrade", title: string): Command {
  const { model } = program;
  const run = (words: string): void => {
    const argv = words.split(/\s+/).filter((word) => word !== "");
    program.runZor(["host", verb, ...argv]).catch((error: unknown) => {
      model.complain(`tui.${verb}_failed`, "", `zor host ${verb}: ${messageOf(error)}`);
      model.changed();
    });
  };
  return {
    keys: [],
    words: [verb],
    argument: "HOST... [--flags]",
    title,
    group: "Act",
    changes: true,
    run: ({ argument }) => {
      if (argument !== "") run(argument);
      else {
        const title = `zor host ${verb}, hosts and flags (--help tells of them)`;
        model.prompt = { ...{ type: "input", text: "", title }, choices: [], go: run };
      }
    },
  };
}
