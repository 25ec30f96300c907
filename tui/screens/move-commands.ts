import type { Command } from "../kit/keys/command.js";
import type { Model } from "../kit/model.js";

/** What the keys that move move. */
export interface Movable {
  /** By lines; stops at both ends. */
  move(by: number): void;
  /** By screens. */
  page(by: number): void;
}

/** The keys that move up and down. */
export function moveCommands(movable: Movable): readonly Command[] {
  const group = "Move";
  return [
    { id: "up", keys: ["up", "k"], title: "one line up", group, run: () => movable.move(-1) },
    { id: "down", keys: ["down", "j"], title: "one line down", group, run: () => movable.move(1) },
    { id: "page-up", keys: ["pgup", "ctrl-b"], title: "one screen up", group, run: () => movable.page(-1) },
    { id: "page-down", keys: ["pgdn", "ctrl-f"], title: "one screen down", group, run: () => movable.page(1) },
    {
      id: "first",
      keys: ["home", "g"],
      title: "to the first line",
      group,
      run: () => movable.move(Number.NEGATIVE_INFINITY),
    },
    {
      id: "last-line",
      keys: ["end", "G"],
      title: "to the last line",
      group,
      run: () => movable.move(Number.POSITIVE_INFINITY),
    },
  ];
}

/** The keys of a page: those that move, and the one that leaves it. */
export function pageCommands(model: Model, page: Movable): readonly Command[] {
  return [
    ...moveCommands(page),
    {
      id: "back",
      keys: ["esc"],
      title: "back",
      group: "Look",
      hint: { word: "back", rank: 2 },
      run: () => back(model),
    },
  ];
}

/** One step back at a time: the error at the bottom, a step within the screen, the screen. */
export function back(model: Model): void {
  if (model.notice?.tone === "bad") model.notice = undefined;
  else if (model.screen.back?.() !== true) model.pop();
}
