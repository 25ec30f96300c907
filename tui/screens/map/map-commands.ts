import type { Command } from "../../kit/keys/command.js";
import type { Direction } from "../../kit/map/walk.js";
import { back } from "../move-commands.js";
import type { Program } from "../program.js";
import type { MapSearch } from "./map-search.js";

/** What the keys of the map do with it. */
export interface MapControl {
  go(direction: Direction): void;
  next(by: 1 | -1): void;
  page(direction: "up" | "down"): void;
  end(by: "first" | "last"): void;
  open(): void;
  look(by: 1 | -1): void;
  whole(): void;
  turnMini(): void;
  anew(): void;
}

/** The keys of the map. */
export function mapCommands({ model }: Program, map: MapControl, search: MapSearch): readonly Command[] {
  const move = "Move";
  const look = "Look";
  const isSearching = (): boolean => search.text !== "";
  return [
    {
      id: "map.up",
      keys: ["up", "k"],
      title: "to what lies above, along cables first",
      group: move,
      run: () => map.go("up"),
    },
    { id: "map.down", keys: ["down", "j"], title: "to what lies below", group: move, run: () => map.go("down") },
    {
      id: "map.left",
      keys: ["left", "h"],
      title: "to what lies to the left",
      group: move,
      run: () => map.go("left"),
    },
    {
      id: "map.right",
      keys: ["right", "l"],
      title: "to what lies to the right",
      group: move,
      run: () => map.go("right"),
    },
    {
      keys: ["tab"],
      title: "to the next thing",
      group: move,
      hint: { word: "next", rank: 3 },
      run: () => map.next(1),
    },
    { id: "map.before", keys: ["shift-tab"], title: "to the thing before", group: move, run: () => map.next(-1) },
    { id: "page-up", keys: ["pgup", "ctrl-b"], title: "a screen up", group: move, run: () => map.page("up") },
    { id: "page-down", keys: ["pgdn", "ctrl-f"], title: "a screen down", group: move, run: () => map.page("down") },
    { id: "first", keys: ["home", "g"], title: "to the first thing", group: move, run: () => map.end("first") },
    { id: "last-line", keys: ["end", "G"], title: "to the last thing", group: move, run: () => map.end("last") },
    {
      keys: ["enter"],
      title: "open: a host's instances, a lan's ports, else the details; draw the cable that was begun",
      group: look,
      hint: { word: "open", rank: 1 },
      run: () => map.open(),
    },
    {
      id: "map.search",
      keys: ["/"],
      argument: "WORDS",
      title: "find: words or a query, as in tables; the cursor goes there, whatever has to be opened",
      group: look,
      hint: { word: "find", rank: 2 },
      run: ({ argument }) => search.ask(argument),
    },
    {
      id: "map.search-next",
      keys: ["n"],
      title: "to the next that was found",
      group: look,
      when: isSearching,
      run: () => search.next(1),
    },
    {
      id: "map.search-before",
      keys: ["N"],
      title: "to the one before that was found",
      group: look,
      when: isSearching,
      run: () => search.next(-1),
    },
    {
      id: "map.nearer",
      keys: ["+", "="],
      title: "nearer",
      group: look,
      hint: { word: "nearer", rank: 2 },
      run: () => map.look(1),
    },
    {
      keys: ["-", "_"],
      title: "further away",
      group: look,
      hint: { word: "further", rank: 2 },
      run: () => map.look(-1),
    },
    {
      keys: ["0"],
      title: "the whole, as near as it fits",
      group: look,
      hint: { word: "whole", rank: 3 },
      run: () => map.whole(),
    },
    { keys: ["m"], title: "the mini-map, or none", group: look, run: () => map.turnMini() },
    { id: "map.anew", keys: ["R"], title: "lay everything out anew", group: look, run: () => map.anew() },
    {
      id: "back",
      keys: ["esc"],
      title: "back; first looks for nothing any more",
      group: look,
      hint: { word: "back", rank: 4 },
      run: () => back(model),
    },
  ];
}
