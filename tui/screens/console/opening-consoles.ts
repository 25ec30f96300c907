import { messageOf } from "../../../lib/errors.js";
import { parseSerialPort, serialPorts } from "../../kit/input/serial-port.js";
import type { Command } from "../../kit/keys/command.js";
import type { Program } from "../program.js";
import { attachWhole } from "./attach-whole.js";
import { showConsole, showConsoles } from "./console-screen.js";

/** What opens consoles, bound everywhere. */
export function openingConsoles(program: Program): readonly Command[] {
  const { model, consoles } = program;
  const hasConsole = (): boolean => model.screen.kind?.hasConsole === true;
  return [
    {
      id: "the-console",
      keys: ["c"],
      words: ["console"],
      ofRow: true,
      title: "the console: what is typed goes to the guest, after Ctrl-] to zor again",
      group: "Act",
      hint: { word: "console", rank: 7 },
      changes: true,
      when: hasConsole,
      run: () => showConsole(program, { readOnly: false, port: 0 }),
    },
    {
      id: "shell",
      keys: ["c"],
      words: ["shell"],
      ofRow: true,
      title: "a shell on the host, where its own settings allow that",
      group: "Act",
      hint: { word: "shell", rank: 7 },
      changes: true,
      when: () => model.screen.kind?.kind === "host",
      run: () => showConsole(program, { readOnly: false, port: 0 }),
    },
    {
      keys: ["o"],
      words: ["only-look"],
      ofRow: true,
      title: "only look at the console, nothing is typed",
      group: "Look",
      when: hasConsole,
      run: () => showConsole(program, { readOnly: true, port: 0 }),
    },
    {
      keys: [],
      words: ["serial"],
      argument: "PORT",
      choices: () => serialPorts,
      title: "the console at another serial port: ttyS1",
      group: "Act",
      changes: true,
      when: hasConsole,
      run: ({ argument }) => {
        try {
          showConsole(program, { readOnly: false, port: parseSerialPort("port", argument) });
        } catch (error) {
          model.say(messageOf(error), "warn");
        }
      },
    },
    {
      keys: [],
      words: ["consoles"],
      title: "the consoles that are open",
      group: "Look",
      run: () => {
        if (consoles.all.length > 0) showConsoles(program, false);
        else model.say("no console is open; c on an instance opens its");
      },
    },
    {
      keys: [],
      words: ["attach"],
      ofRow: true,
      title: "give the whole terminal to the console; Ctrl-] comes back",
      group: "Act",
      changes: true,
      when: hasConsole,
      run: () => attachWhole(program),
    },
  ];
}
