import { QueryError } from "../../../lib/query/query-error.js";
import { askText } from "../../kit/ask-text.js";
import type { Zoom } from "../../kit/map/scene.js";
import { shortName } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import { matches, noFilter, parseFilter } from "../../kit/table/filter.js";
import { naturalKey } from "../../kit/table/sort-key.js";
import { plainText } from "../../kit/text/plain-text.js";
import type { Line } from "../../kit/text/segment.js";
import type { Program } from "../program.js";

/** Where on the map somebody is. */
interface MapPlace {
  readonly cursor: string;
  readonly zoom: Zoom | undefined;
  readonly focus: string;
}

/** What a search does with the map. */
interface SearchedMap {
  at(): MapPlace;
  goBack(place: MapPlace): void;
  /** Puts the cursor on a resource, wherever it is. */
  find(name: string): void;
}

/** Finds things on the map by what is typed, a query as in tables; while it is typed the cursor is on the first that matches. */
export class MapSearch {
  readonly #program: Program;
  readonly #map: SearchedMap;
  /** Where it was begun. */
  #from: MapPlace | undefined;
  #filter = noFilter;
  #fault = "";
  #found: readonly string[] = [];

  constructor(program: Program, map: SearchedMap) {
    this.#program = program;
    this.#map = map;
  }

  /** What is looked for; empty: nothing is. */
  get text(): string {
    return this.#filter.text;
  }

  /** Asks what to look for, where nothing was given. */
  ask(given: string): void {
    this.#from = this.#map.at();
    const apply = (text: string): void => this.#look(text);
    const help = "words, state=failed, ~letters: what to go to";
    askText(this.#program.model, given, { type: "filter", text: "", before: "", help, apply });
  }

  /** Goes to the next that matches (1), or to the one before (-1). */
  next(by: 1 | -1): void {
    const found = this.#find();
    const at = found.indexOf(this.#map.at().cursor);
    const to = at < 0 ? (by > 0 ? 0 : found.length - 1) : (at + by + found.length) % found.length;
    const name = found[to];
    if (name === undefined) this.#program.model.say(`nothing on the map matches ${this.text} now`);
    else this.#map.find(name);
  }

  /** Looks for nothing any more, and stays where that has led; false: nothing was looked for. */
  end(): boolean {
    const was = this.text !== "";
    this.#filter = noFilter;
    this.#fault = "";
    return was;
  }

  /** "/web 2 of 7" */
  facts(cursor: string): Line {
    if (this.text === "") return [];
    const at = this.#found.indexOf(cursor);
    const all = this.#found.length;
    const count = at >= 0 ? `${at + 1} of ${all}` : all === 0 ? "matches nothing" : `${all}`;
    return [
      { text: ` /${plainText(this.text)} ${count}`, tone: "warn" },
      ...(this.#fault === "" ? [] : [{ text: ` ${plainText(this.#fault)}`, tone: "bad" } as const]),
    ];
  }

  #look(text: string): void {
    if (text.trim() === "") {
      this.end();
      if (this.#from !== undefined) this.#map.goBack(this.#from);
      return;
    }
    try {
      this.#filter = parseFilter(text);
      this.#fault = "";
    } catch (error) {
      if (!(error instanceof QueryError)) throw error;
      this.#fault = error.violations[0]?.description ?? error.message;
      return;
    }
    const [first] = this.#find();
    if (first !== undefined) this.#map.find(first);
    else if (this.#from !== undefined) this.#map.goBack(this.#from);
  }

  /** Names of all that match, host by host. */
  #find(): readonly string[] {
    const { fleet, context, kinds } = this.#program.model;
    const found: string[] = [];
    for (const kind of kinds.all) {
      if (kind.map === undefined) continue;
      const isFound = (row: Row): boolean => matches(this.#filter, row, kind.columns, context);
      for (const row of fleet.rowsOf(kind.kind)) if (isFound(row)) found.push(row.name);
    }
    const keys = new Map(found.map((name) => [name, naturalKey(shortName(name))]));
    this.#found = found.sort((left, right) => ((keys.get(left) ?? "") < (keys.get(right) ?? "") ? -1 : 1));
    return this.#found;
  }
}
