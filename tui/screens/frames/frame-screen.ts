import type { Command } from "../../kit/keys/command.js";
import { Page } from "../../kit/page.js";
import { type Body, fixedBody, pageBody, type Screen } from "../../kit/screen.js";
import { pageCommands } from "../move-commands.js";
import type { Program } from "../program.js";
import type { KeptFrame } from "./frame-buffer.js";
import { frameDetails } from "./frame-lines.js";

/** What a frame is looked at among. */
export interface FrameList {
  /** The frame that the cursor is on. */
  readonly current: KeptFrame | undefined;
  /** Names of the interfaces. */
  readonly places: readonly string[];
  /** Goes to another frame. */
  step(by: number): void;
}

/** One frame: its layers, and its bytes. It stays as it is, whatever comes. */
export class FrameScreen implements Screen {
  readonly kind = undefined;
  readonly commands: readonly Command[];
  readonly #frames: FrameList;
  #page = new Page();

  constructor(program: Program, frames: FrameList) {
    this.#frames = frames;
    const step = (by: number): void => {
      frames.step(by);
      this.#page = new Page();
    };
    this.commands = [
      ...pageCommands(program.model, { move: (by) => this.#page.move(by), page: (by) => this.#page.page(by) }),
      {
        keys: ["right", "n"],
        title: "the next frame",
        group: "Move",
        hint: { word: "next", rank: 3 },
        run: () => step(1),
      },
      {
        keys: ["left", "N"],
        title: "the frame before",
        group: "Move",
        hint: { word: "before", rank: 4 },
        run: () => step(-1),
      },
    ];
  }

  title(): string {
    return `frame ${this.#frames.current?.number ?? ""}`;
  }

  draw(width: number, height: number): Body {
    const frame = this.#frames.current;
    if (frame === undefined)
      return fixedBody([[], [{ text: "   it is not kept any more; esc goes back", tone: "warn" }]]);
    const place = this.#frames.places[frame.seen.at] ?? "";
    return pageBody(this.#page, frameDetails(frame, place, width), height);
  }

  subject(): undefined {
    return undefined;
  }
}
