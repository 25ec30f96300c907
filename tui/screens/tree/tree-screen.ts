import { QueryError } from "../../../lib/query/query-error.js";
import { askText } from "../../kit/ask-text.js";
import type { CellContext } from "../../kit/fleet/fleet-view.js";
import type { Command } from "../../kit/keys/command.js";
import type { TuiKind } from "../../kit/kind.js";
import { PickPage } from "../../kit/pick-page.js";
import type { Row } from "../../kit/row.js";
import type { Body, Screen } from "../../kit/screen.js";
import { type Spoken, spokenLines } from "../../kit/spoken/spoken.js";
import { spokenPage } from "../../kit/spoken/spoken-page.js";
import { type Filter, matches, parseFilter } from "../../kit/table/filter.js";
import { plainText } from "../../kit/text/plain-text.js";
import { cutLine, type Line } from "../../kit/text/segment.js";
import { wrapText } from "../../kit/text/wrap-text.js";
import type { TreeNode } from "../../kit/tree/node.js";
import { type TreeLine, TreeState } from "../../kit/tree/tree-state.js";
import { showDetails } from "../detail/detail-screen.js";
import { back, moveCommands } from "../move-commands.js";
import type { Program } from "../program.js";

/** What a tree is made of. */
export interface TreeSource {
  title(): string;
  roots(context: CellContext): readonly TreeNode[];
  /** Said where there is nothing. */
  readonly empty: string;
  /** The line of the command line that opens it. Default: none does. */
  readonly line?: string;
  /** What is made from here, see {@link Screen.makes}. */
  readonly makes?: Screen["makes"];
}

/** A tree of resources: opened and closed, filtered, and acted on where the cursor is. */
export class TreeScreen implements Screen {
  readonly source: TreeSource;
  readonly commands: readonly Command[];
  readonly #program: Program;
  readonly #state = new TreeState();
  readonly #page: PickPage;
  #filter: Filter = parseFilter("");
  #known: { readonly key: string; readonly lines: readonly TreeLine[] } = { key: "", lines: [] };
  #turns = 0;

  /** @param cursor key of the node that the cursor is on at first. */
  constructor(program: Program, source: TreeSource, cursor?: string) {
    this.#program = program;
    this.source = source;
    this.#page = new PickPage(() => this.#lines());
    if (cursor !== undefined) this.#page.pick(cursor);
    this.commands = this.#makeCommands();
  }

  get kind(): TuiKind | undefined {
    const row = this.subject();
    return row === undefined ? undefined : this.#program.model.kinds.find(row.kind);
  }

  makes(): ReturnType<NonNullable<Screen["makes"]>> {
    const subject = this.subject();
    return this.source.makes?.() ?? { kind: subject?.kind ?? "", of: subject };
  }

  /** To what was made from here, as soon as it is there. */
  goTo(kind: string, name: string): boolean {
    if (this.source.makes?.().kind !== kind) return false;
    this.#page.expect(name);
    return true;
  }

  title(): string {
    return this.source.title();
  }

  draw(width: number, height: number): Body {
    const { connection, loaded } = this.#program.model.fleet;
    const isOld = connection.phase === "lost" || connection.phase === "refused";
    const { lines, extent } = this.#page.window(height);
    const { text } = this.#filter;
    const facts: Line = text === "" ? [] : [{ text: ` /${plainText(text)}`, tone: "warn" }];
    if (lines.length === 0) {
      const said = loaded
        ? text === ""
          ? this.source.empty
          : "nothing matches; esc shows everything"
        : "reading the fleet";
      const told = wrapText(said, Math.max(1, width - 3)).map((part) => ({
        line: [{ text: `   ${part}`, tone: "dim" as const }],
      }));
      return { lines: [{ line: [] }, ...told], extent, facts };
    }
    return {
      lines: lines.map((each) => ({ ...each, line: cutLine(each.line, width), ...(isOld ? { faded: true } : {}) })),
      extent,
      facts,
      aside:
        this.#node()
          ?.line.map((segment) => segment.text)
          .join("") ?? "",
    };
  }

  say(): Spoken {
    const lines = this.#lines();
    if (lines.length === 0) return spokenLines([{ text: this.source.empty }]);
    return spokenPage(this.#page, lines);
  }

  line(): string | undefined {
    return this.source.line;
  }

  subject(): Row | undefined {
    return this.#node()?.row;
  }

  back(): boolean {
    if (this.#filter.text === "") return false;
    this.#setFilter("");
    return true;
  }

  #node(): TreeNode | undefined {
    return this.#lineNow()?.node;
  }

  #lineNow(): TreeLine | undefined {
    const { picked } = this.#page;
    return this.#lines().find(({ key }) => key === picked);
  }

  /** Put together once for what is drawn at a time. */
  #lines(): readonly TreeLine[] {
    const { version, context } = this.#program.model;
    const key = `${version} ${context.nowMs} ${this.#turns} ${this.#filter.text}`;
    if (this.#known.key !== key) {
      const roots = this.source.roots(context);
      const lines =
        this.#filter.text === ""
          ? this.#state.lines(roots)
          : this.#state.filtered(roots, (node) => this.#passes(node, context));
      this.#known = { key, lines };
    }
    return this.#known.lines;
  }

  #passes({ row, searched }: TreeNode, context: CellContext): boolean {
    const kind = row === undefined ? undefined : this.#program.model.kinds.find(row.kind);
    if (row !== undefined && kind !== undefined && matches(this.#filter, row, kind.columns, context)) return true;
    // Of what is no resource every word has to be in its text.
    const words = this.#filter.text.toLowerCase().split(/\s+/);
    const text = searched.toLowerCase();
    return text !== "" && words.every((word) => text.includes(word));
  }

  #setFilter(text: string): void {
    try {
      this.#filter = parseFilter(text);
    } catch (error) {
      // What is not finished yet leaves the one before.
      if (!(error instanceof QueryError)) throw error;
    }
  }

  #turn(isOpen: boolean): void {
    const line = this.#lineNow();
    if (line === undefined) return;
    this.#turns += 1;
    this.#state.turn(line.node, isOpen);
  }

  /** Opens what is closed, else goes to the first below. */
  #inwards(): void {
    const line = this.#lineNow();
    if (line?.node.children === undefined) return;
    if (this.#state.isOpen(line.node) || this.#filter.text !== "") this.#page.move(1);
    else this.#turn(true);
  }

  /** Closes what is open, else goes to what it is below. */
  #outwards(): void {
    const line = this.#lineNow();
    if (line === undefined) return;
    if (this.#filter.text === "" && this.#state.isOpen(line.node)) this.#turn(false);
    else if (line.parent !== undefined) this.#page.pick(line.parent);
  }

  #turnAll(isOpen: boolean): void {
    this.#turns += 1;
    this.#state.turnAll(this.source.roots(this.#program.model.context), isOpen);
  }

  #enter(): void {
    const line = this.#lineNow();
    if (line === undefined) return;
    if (line.node.children === undefined) showDetails(this.#program, false);
    else if (this.#filter.text === "") this.#turn(!this.#state.isOpen(line.node));
    else if (line.node.row !== undefined) showDetails(this.#program, false);
  }

  #makeCommands(): readonly Command[] {
    const { model } = this.#program;
    const group = "Look";
    return [
      ...moveCommands(this.#page),
      {
        keys: ["right"],
        title: "open what is closed, else to the first below",
        group: "Move",
        run: () => this.#inwards(),
      },
      {
        keys: ["left"],
        title: "close what is open, else to what it is in",
        group: "Move",
        run: () => this.#outwards(),
      },
      {
        keys: ["enter"],
        title: "open or close; the details of what has nothing below",
        group,
        hint: { word: "open", rank: 1 },
        run: () => this.#enter(),
      },
      {
        keys: ["+", "="],
        title: "open everything",
        group,
        hint: { word: "open all", rank: 4 },
        run: () => this.#turnAll(true),
      },
      { keys: ["-", "_"], title: "close everything", group, run: () => this.#turnAll(false) },
      {
        keys: ["/"],
        argument: "WORDS",
        title: "only what matches, with what it is in",
        group,
        hint: { word: "filter", rank: 3 },
        run: ({ argument }) => {
          const { text } = this.#filter;
          const apply = (typed: string): void => this.#setFilter(typed);
          askText(model, argument, { type: "filter", text, before: text, apply });
        },
      },
      {
        keys: ["esc"],
        title: "back; first drops the filter",
        group,
        hint: { word: "back", rank: 2 },
        run: () => back(model),
      },
    ];
  }
}
