import { messageOf } from "../../../lib/errors.js";
import { type Picture, PictureCells } from "../../kit/cells/picture-cells.js";
import type { Command } from "../../kit/keys/command.js";
import type { TuiKind } from "../../kit/kind.js";
import { shortName } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import { type Body, fixedBody, type Screen } from "../../kit/screen.js";
import { type Spoken, spokenLines } from "../../kit/spoken/spoken.js";
import { plainText } from "../../kit/text/plain-text.js";
import { wrapText } from "../../kit/text/wrap-text.js";
import { back } from "../move-commands.js";
import { Paced } from "../paced.js";
import type { Program } from "../program.js";
import { rowHere } from "../row-here.js";
import { prefixCommands } from "../typing/prefix-commands.js";
import { pasteForGuest, TypedKeys } from "../typing/typed-keys.js";
import type { MachineView } from "./screen-opener.js";

/** From one frame to the next. */
const frameMs = 100;
/** Pasted characters that are typed: each is two messages to a machine that takes them as a keyboard's. */
const mostPasted = 4096;

/** The screen of a machine in half blocks, with its keyboard; leaving it ends both. */
export class MachineScreen implements Screen {
  readonly kind: TuiKind;
  readonly name: string;
  readonly #program: Program;
  readonly #view: MachineView;
  readonly #left = new AbortController();
  readonly #frames: Paced;
  readonly #cells = new PictureCells();
  readonly #keys = new TypedKeys();
  readonly #commands: readonly Command[];
  readonly #typingCommands: readonly Command[];
  #trouble = "";
  isTyping = false;

  constructor(program: Program, kind: TuiKind, name: string) {
    this.#program = program;
    this.kind = kind;
    this.name = name;
    const { model } = program;
    this.#frames = new Paced(() => model.changed(), frameMs);
    this.#commands = this.#makeCommands();
    this.#typingCommands = prefixCommands(() => {
      this.isTyping = false;
    });
    this.#view = program.screens.open(name, {
      signal: AbortSignal.any([program.signal, this.#left.signal]),
      listener: {
        onChanged: () => {
          this.#trouble = "";
          this.#frames.ask();
        },
        onLost: (why) => {
          this.#trouble = why;
          this.#frames.ask();
        },
      },
    });
  }

  get commands(): readonly Command[] {
    return this.isTyping ? this.#typingCommands : this.#commands;
  }

  title(): string {
    return `screen of ${shortName(this.name)}`;
  }

  draw(width: number, height: number): Body {
    const { picture } = this.#view;
    const size = picture === undefined ? "" : ` ${picture.width}x${picture.height}`;
    return {
      ...(picture === undefined ? this.#wordsBody(width) : this.#pictureBody(picture, width, height)),
      facts: [{ text: size, tone: "dim" }, ...(this.isTyping ? [{ text: " typing", tone: "good" } as const] : [])],
      aside: this.isTyping ? "what is typed goes to the machine's keyboard; Ctrl-] and then a key is for zor" : "",
    };
  }

  say(): Spoken {
    return spokenLines([
      { text: "the screen of a machine is a picture, which has no words" },
      { text: "console is its serial console, ssh logs in, send-key presses keys; back leaves this" },
    ]);
  }

  subject(): Row | undefined {
    return this.#program.model.fleet.find(this.kind.kind, this.name);
  }

  typed(data: string): string {
    const { typed, rest } = this.#keys.read(data);
    for (const each of typed) {
      if (each.type === "keys") this.#view.type(each.data);
      else this.#paste(each.data);
    }
    if (rest === undefined) return "";
    this.isTyping = false;
    return rest;
  }

  pasted(text: string): boolean {
    if (!this.isTyping) return false;
    this.#paste(text);
    return true;
  }

  again(): Screen {
    return new MachineScreen(this.#program, this.kind, this.name);
  }

  closed(): void {
    this.#left.abort();
    this.#frames[Symbol.dispose]();
  }

  #pictureBody(picture: Picture, width: number, height: number): Body {
    const lines = this.#cells.draw(picture, this.#view.takeChanged(), { columns: width, rows: height });
    return {
      lines: lines.map((cells) => ({ line: [{ text: cells.text() }], cells })),
      extent: { top: 0, shown: lines.length, length: lines.length },
    };
  }

  #wordsBody(width: number): Body {
    const isWell = this.#trouble === "";
    const words = isWell ? "connecting to its screen" : `${plainText(this.#trouble)}; trying again`;
    const tone = isWell ? "dim" : "warn";
    return fixedBody([[], ...wrapText(`   ${words}`, width - 2).map((text) => [{ text, tone } as const])]);
  }

  #paste(text: string): void {
    const data = pasteForGuest(text);
    if (data === "") return;
    if (data.length <= mostPasted) this.#view.type(data);
    else this.#program.model.say(`${data.length} characters are too many to be typed at a keyboard`, "warn");
  }

  #press(keys: string): void {
    try {
      this.#view.press(keys);
    } catch (error) {
      this.#program.model.say(messageOf(error), "warn");
    }
  }

  async #save(): Promise<void> {
    const { model, screens, signal } = this.#program;
    model.say("taking a picture");
    try {
      model.say(`the picture is in ${await screens.save(this.name, signal)}`);
    } catch (error) {
      model.say(`no picture was taken: ${messageOf(error)}`, "warn");
    }
    model.changed();
  }

  #makeCommands(): readonly Command[] {
    const { model, screens } = this.#program;
    return [
      {
        keys: ["i", "enter"],
        title: "type at the machine's keyboard, until Ctrl-]",
        group: "Act",
        hint: { word: "type", rank: 1 },
        changes: true,
        run: () => {
          this.isTyping = true;
        },
      },
      {
        keys: ["esc"],
        title: "leave the screen",
        group: "Look",
        hint: { word: "leave", rank: 2 },
        run: () => back(model),
      },
      {
        keys: ["K"],
        words: ["press"],
        argument: "KEYS",
        choices: () => screens.commonKeys,
        title: "press keys of the machine together: ctrl-alt-delete, alt-sysrq-b",
        group: "Act",
        hint: { word: "press keys", rank: 3 },
        changes: true,
        run: ({ argument }) => {
          if (argument !== "") this.#press(argument);
          else {
            model.prompt = {
              ...{ type: "input", text: "", title: "keys to press", choices: screens.commonKeys },
              go: (text) => this.#press(text),
            };
          }
        },
      },
      {
        keys: ["W"],
        words: ["picture"],
        title: "write a picture of the screen into a file here",
        group: "Look",
        hint: { word: "picture", rank: 4 },
        run: () => void this.#save(),
      },
      {
        keys: ["F"],
        title: "give the whole terminal to the screen; Ctrl-] comes back",
        group: "Act",
        changes: true,
        run: () => giveScreen(this.#program, this.name),
      },
      {
        keys: ["ctrl-]"],
        title: "type Ctrl-] itself",
        group: "Act",
        changes: true,
        run: () => {
          this.#press("ctrl-]");
          this.isTyping = true;
        },
      },
    ];
  }
}

/** Shows the screen of the machine under the cursor. */
export function showMachineScreen(program: Program): void {
  const { model } = program;
  const [row, { kind }] = [rowHere(model, "see the screen of"), model.screen];
  if (row === undefined || kind === undefined) return;
  if (model.screen instanceof MachineScreen && model.screen.name === row.name) return;
  model.push(new MachineScreen(program, kind, row.name));
}

function giveScreen(program: Program, name: string): void {
  const { model } = program;
  program.giveTerminal("screen", name).catch((error: unknown) => {
    model.complain("tui.screen_failed", name, `screen of ${shortName(name)}: ${messageOf(error)}`);
    model.changed();
  });
}
