import { askText } from "../../kit/ask-text.js";
import type { Command } from "../../kit/keys/command.js";
import { back, moveCommands } from "../move-commands.js";
import type { Program } from "../program.js";
import { attachWhole } from "./attach-whole.js";
import { isShell } from "./console-session.js";
import { prefixKey } from "../typing/typed-keys.js";

/** What the commands do with their screen. */
interface ConsoleControl {
  /** What is typed goes to the guest from now on. */
  beginTyping(): void;
  /** Likewise, if it did so before. */
  resumeTyping(): void;
  /** Scrolls by screens, up with more than 0. */
  page(by: number): void;
}

/** Bound on the consoles' screen while keys are this program's. */
export function consoleCommands(program: Program, screen: ConsoleControl): readonly Command[] {
  const { model } = program;
  const { consoles } = program;
  const here = () => consoles.here;
  const several = () => consoles.all.length > 1;
  /** What changes the console goes back to typing, if that is where one came from. */
  const goOn = (step: 1 | -1): void => {
    consoles.goOn(step);
    screen.resumeTyping();
  };
  return [
    ...moveCommands({
      move: (by) => here()?.scroll(-by),
      page: (by) => screen.page(-by),
    }),
    {
      keys: ["i", "enter"],
      title: "type to the guest again; a console that ended is attached again",
      group: "Act",
      hint: { word: "type", rank: 1 },
      changes: true,
      run: () => screen.beginTyping(),
    },
    {
      keys: ["esc"],
      title: "leave the consoles, which stay attached",
      group: "Look",
      hint: { word: "leave", rank: 2 },
      run: () => back(model),
    },
    {
      keys: ["tab", "right"],
      title: "the next console",
      group: "Look",
      hint: { word: "next", rank: 3 },
      when: several,
      run: () => goOn(1),
    },
    { keys: ["shift-tab", "left"], title: "the console before", group: "Look", when: several, run: () => goOn(-1) },
    {
      keys: ["1", "2", "3", "4", "5", "6", "7", "8", "9"],
      title: "the console of that number",
      group: "Look",
      when: several,
      run: ({ chord }) => {
        const session = consoles.all[Number(chord) - 1];
        if (session === undefined) return;
        consoles.goTo(session);
        screen.resumeTyping();
      },
    },
    {
      keys: ["|"],
      title: "two consoles at once, or one again",
      group: "Look",
      hint: { word: "split", rank: 4 },
      when: several,
      run: () => {
        consoles.split();
        screen.resumeTyping();
      },
    },
    {
      keys: ["/"],
      argument: "TEXT",
      title: "search what the guest said; small letters find large ones",
      group: "Look",
      hint: { word: "search", rank: 5 },
      run: ({ argument }) => {
        askText(model, argument, {
          ...{ type: "input", text: "", title: "search", choices: [] },
          go: (text) => {
            here()?.find(text);
            if (here()?.search?.count === 0) model.say(`"${text}" was not said`, "warn");
          },
        });
      },
    },
    {
      keys: ["N"],
      title: "the place before, further up",
      group: "Look",
      when: hasSearch,
      run: () => here()?.findNext(-1),
    },
    {
      keys: ["n"],
      title: "the next place, further down",
      group: "Look",
      when: hasSearch,
      run: () => here()?.findNext(1),
    },
    {
      keys: ["D"],
      title: "detach from the console",
      group: "Look",
      hint: { word: "detach", rank: 6 },
      run: () => {
        const session = here();
        if (session !== undefined) consoles.detach(session);
        if (consoles.all.length === 0) model.pop();
      },
    },
    {
      keys: ["F"],
      title: "give the whole terminal to the console; Ctrl-] comes back",
      group: "Act",
      changes: true,
      when: isConsole,
      run: () => attachWhole(program),
    },
    {
      keys: ["="],
      title: "tell a guest that does not learn it by itself how large its terminal is: types stty",
      group: "Act",
      changes: true,
      when: isConsole,
      run: () => {
        const session = here();
        if (session === undefined) return;
        const { columns, rows } = session.size;
        session.send(`stty rows ${rows} cols ${columns}\r`);
        screen.beginTyping();
      },
    },
    {
      keys: ["ctrl-]"],
      title: "send Ctrl-] to the guest",
      group: "Act",
      changes: true,
      run: () => {
        here()?.send(prefixKey);
        screen.beginTyping();
      },
    },
  ];

  function isConsole(): boolean {
    const session = here();
    return session !== undefined && !isShell(session.place);
  }

  function hasSearch(): boolean {
    return here()?.search !== undefined;
  }
}
