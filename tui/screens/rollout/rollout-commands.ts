import { messageOf } from "../../../lib/errors.js";
import type { Command } from "../../kit/keys/command.js";
import type { Program } from "../program.js";
import { RolloutScreen } from "./rollout-screen.js";

/** Commands on hosts by ssh, in waves. */
export function rolloutCommands(program: Program): readonly Command[] {
  const { model } = program;
  return [
    hostCommand(program, "install", "make machines hosts of the fleet, by ssh; a screen shows how each does"),
    hostCommand(
      program,
      "upgrade",
      "bring hosts to this version, by ssh, in waves (--canary, --max-failures); a screen shows how each does",
    ),
    hostCommand(program, "rollback", "take hosts back to the version before, by ssh, in waves"),
    {
      keys: [],
      words: ["rollout"],
      title: "hosts that are installed, upgraded or taken back from here: how each does; pause, resume, cancel it",
      group: "Look",
      run: () => {
        const { last } = program.rollouts;
        if (last === undefined) model.say("nothing was done to hosts from here; :upgrade HOST... does", "warn");
        else model.push(new RolloutScreen(program, last));
      },
    },
  ];
}

/** What is typed with each host that may come next. */
function moreHosts({ model: { fleet, kinds } }: Program, typed: string): readonly string[] {
  const before = typed.slice(0, typed.length - (/\S*$/.exec(typed)?.[0].length ?? 0));
  const hosts = kinds.presence === undefined ? [] : [...fleet.rowsOf(kinds.presence.kind)];
  return hosts.map(({ id }) => before + id).sort();
}

function hostCommand(program: Program, verb: string, title: string): Command {
  const { model } = program;
  const run = (words: string): void => {
    const argv = words.split(/\s+/).filter((word) => word !== "");
    if (argv.length === 0) return;
    if (model.session.isPlain !== true && !argv.includes("--help")) {
      model.push(new RolloutScreen(program, program.rollouts.begin(verb, argv)));
      return;
    }
    // A board in lines of its own, and questions at the terminal.
    program.runZor(["host", verb, ...argv]).catch((error: unknown) => {
      model.complain(`tui.${verb}_failed`, "", `zor host ${verb}: ${messageOf(error)}`);
      model.changed();
    });
  };
  return {
    keys: [],
    words: [verb],
    argument: "HOST... [--flags]",
    choices: (typed) => (verb === "install" ? [] : moreHosts(program, typed)),
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
