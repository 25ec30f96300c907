import { status } from "@grpc/grpc-js";
import { ZorError } from "../../lib/errors.js";
import { shortName } from "../kit/resource-name.js";
import type { Row } from "../kit/row.js";
import { rowWords } from "../kit/spoken/row-words.js";
import { allCommands } from "../screens/commands.js";
import type { Program } from "../screens/program.js";
import { TableScreen } from "../screens/table/table-screen.js";
import type { Listing } from "./listing.js";

/** Finds the rows that a person means. */
export class RowFinder {
  readonly #program: Program;
  readonly #listing: () => Listing;

  constructor(program: Program, listing: () => Listing) {
    this.#program = program;
    this.#listing = listing;
  }

  /** Rows by numbers, "2-5", and names, one after the other. @throws {ZorError} for what there is not, or is several. */
  find(text: string): readonly Row[] {
    return text.split(/[\s,]+/).flatMap((word) => {
      const [, from, to = from] = /^(\d+)(?:-(\d+))?$/.exec(word) ?? [];
      if (from !== undefined) return this.#numbered(Number(from), Number(to));
      const [row, another] = this.named(word);
      if (row === undefined) throw notFound(`there is no ${word} here`);
      if (another !== undefined)
        throw notFound(`several are called ${word}, such as ${shortName(row.name)} and ${shortName(another.name)}`);
      return [row];
    });
  }

  /** Rows of the kind in view with that name or id, else those that begin so, at most two. */
  named(text: string): readonly Row[] {
    const { screen, fleet } = this.#program.model;
    const { kind } = screen;
    if (kind === undefined || text === "") return [];
    const rows = screen instanceof TableScreen ? this.#shown(screen) : fleet.rowsOf(kind.kind);
    const begin: Row[] = [];
    const ids: Row[] = [];
    for (const row of rows) {
      const short = shortName(row.name);
      if (short === text || row.name === text) return [row];
      if (row.id === text && ids.length < 2) ids.push(row);
      if ((row.id.startsWith(text) || short.startsWith(text)) && begin.length < 2) begin.push(row);
    }
    if (ids.length > 0 || begin.length > 0) return ids.length > 0 ? ids : begin;
    // What is named in full is meant, whatever the filter leaves out.
    const hidden = [...fleet.rowsOf(kind.kind)].find(({ name }) => name === text || shortName(name) === text);
    return hidden === undefined ? [] : [hidden];
  }

  /** A row as it is now; undefined: it is gone. */
  words(name: string): string | undefined {
    const { screen, context } = this.#program.model;
    const row = this.#byName(name);
    if (row === undefined || screen.kind === undefined) return row === undefined ? undefined : shortName(name);
    const columns = screen instanceof TableScreen ? screen.table.columns : screen.kind.columns;
    return rowWords(screen.kind, columns, row, context);
  }

  /** It is a command, a table, or an alias of the user. */
  isKnownWord(word: string): boolean {
    const { model, settings } = this.#program;
    if (model.kinds.findByWord(word.toLowerCase()) !== undefined || Object.hasOwn(settings.values.aliases, word))
      return true;
    return allCommands(this.#program).some(({ words }) => words?.includes(word) === true);
  }

  #numbered(from: number, to: number): readonly Row[] {
    const rows: Row[] = [];
    for (let number = from; number <= Math.min(to, this.#listing().choices); number += 1) {
      const name = this.#listing().pick(number)?.name;
      const row = name === undefined ? undefined : this.#byName(name);
      if (row === undefined) throw notFound(`number ${number} is no row that is there`);
      rows.push(row);
    }
    if (rows.length < to - from + 1) throw notFound(`there is no ${to}; ${this.#listing().choices} were said so far`);
    return rows;
  }

  #byName(name: string): Row | undefined {
    const { screen, fleet } = this.#program.model;
    const { kind } = screen;
    if (kind === undefined) return undefined;
    const found = fleet.find(kind.kind, name);
    if (found !== undefined || !(screen instanceof TableScreen)) return found;
    return this.#shown(screen).find((row) => row.name === name);
  }

  #shown({ table }: TableScreen): readonly Row[] {
    const rows = table.rows(this.#program.model.nowMs);
    return rows.slice(0, rows.length);
  }
}

function notFound(message: string): ZorError {
  return new ZorError({ reason: "NOT_FOUND", code: status.NOT_FOUND, message });
}
