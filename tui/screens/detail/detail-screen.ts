import { askText } from "../../kit/ask-text.js";
import { saidLine } from "../../kit/describe/line.js";
import { yamlOf } from "../../kit/describe/yaml.js";
import { formatAge } from "../../kit/format.js";
import type { Command } from "../../kit/keys/command.js";
import type { TuiKind } from "../../kit/kind.js";
import { ownerOf } from "../../kit/map/graph.js";
import { PickPage } from "../../kit/pick-page.js";
import { shortName } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import { type Body, fixedBody, type Screen } from "../../kit/screen.js";
import { type Spoken, spokenLines } from "../../kit/spoken/spoken.js";
import { words } from "../../kit/spoken/words.js";
import { markText, saysText } from "../../kit/text/find-text.js";
import { plainText } from "../../kit/text/plain-text.js";
import type { Line } from "../../kit/text/segment.js";
import { pageCommands } from "../move-commands.js";
import type { Program } from "../program.js";
import { rowHere } from "../row-here.js";
import { type DetailLine, type DrawnDetail, detailPage, moreLines, yamlPage } from "./detail-page.js";

/** Everything known of one resource, for people or as YAML: sections fold, what it has to do with is gone to. */
export class DetailScreen implements Screen {
  readonly kind: TuiKind;
  /** Name of the resource. */
  readonly name: string;
  readonly commands: readonly Command[];
  readonly #program: Program;
  readonly #page: PickPage;
  readonly #folded = new Set<string>();
  #yaml: boolean;
  #search = "";
  #width = 80;
  #more: { readonly key: string; readonly lines: readonly DetailLine[] } = { key: "", lines: [] };

  constructor(program: Program, kind: TuiKind, name: string, yaml = false) {
    this.#program = program;
    this.kind = kind;
    this.name = name;
    this.#yaml = yaml;
    this.#page = new PickPage(() => this.#lines());
    this.commands = this.#makeCommands();
  }

  title(): string {
    return `${this.kind.kind} ${shortName(this.name)}${this.#yaml ? " yaml" : ""}`;
  }

  draw(width: number, height: number): Body {
    this.#width = width;
    const row = this.subject();
    if (row === undefined) return fixedBody([[], [{ text: "   it is gone; esc goes back", tone: "warn" }]]);
    return { ...this.#page.window(height), facts: this.#facts(row), aside: this.#hintOfLine() };
  }

  /** Of YAML the lines as they are: there is nothing in it that is only to be seen. */
  say(): Spoken {
    const row = this.subject();
    if (row === undefined) return spokenLines([{ text: "it is gone" }]);
    if (this.#yaml) return spokenLines(yamlOf(row).map(({ text }) => ({ text: plainText(text) })));
    return spokenLines(
      this.#described(row).map(({ line, leads }) => {
        const text = words(plainText(saidLine(line)));
        return leads === undefined || !this.#leadsSomewhere(leads) ? { text } : { text, pick: () => this.#go(leads) };
      }),
    );
  }

  line(): string {
    return `describe ${shortName(this.name)}`;
  }

  subject(): Row | undefined {
    return this.#program.model.fleet.find(this.kind.kind, this.name);
  }

  back(): boolean {
    if (this.#search === "") return false;
    this.#search = "";
    return true;
  }

  /** How old it is, and what is searched for. */
  #facts(row: Row): Line {
    const { nowMs } = this.#program.model;
    const heard: Line = [{ text: ` heard ${formatAge(nowMs - row.receivedAtMs)} ago`, tone: "dim" }];
    if (this.#search === "") return heard;
    const count = this.#lines().filter(({ line }) => saysText(line, this.#search)).length;
    return [...heard, { text: ` /${plainText(this.#search)} ${count}`, tone: count === 0 ? "bad" : "warn" }];
  }

  #hintOfLine(): string {
    const { leads, fold } = this.#lineNow() ?? {};
    if (leads !== undefined && this.#leadsSomewhere(leads)) return "enter goes there";
    return fold === undefined ? "" : "enter folds and unfolds it";
  }

  #lines(): readonly DrawnDetail[] {
    const row = this.subject();
    if (row === undefined) return [];
    const look = { width: this.#width, folded: this.#folded };
    const lines = this.#yaml ? yamlPage(yamlOf(row), look) : detailPage(this.#described(row), look);
    if (this.#search === "") return lines;
    return lines.map((each) => ({ ...each, line: markText(each.line, this.#search) }));
  }

  #described(row: Row): readonly DetailLine[] {
    const { context, fleet } = this.#program.model;
    const said = this.kind.describe(row, context).map((line) => ({ line }));
    // What it has to do with is found again when anything has changed.
    const key = fleet.kinds.all.map(({ kind }) => fleet.table(kind).version).join(" ");
    if (this.#more.key !== key) this.#more = { key, lines: moreLines(fleet, this.kind, row, context) };
    return [...said, ...this.#more.lines];
  }

  #lineNow(): DrawnDetail | undefined {
    const { picked } = this.#page;
    return this.#lines().find(({ key }) => key === picked);
  }

  #leadsSomewhere(leads: NonNullable<DrawnDetail["leads"]>): boolean {
    if (leads.type !== "resource") return true;
    const found = this.#findRow(leads.name);
    return found !== undefined && found.name !== this.name;
  }

  #findRow(name: string): Row | undefined {
    const { kinds, fleet } = this.#program.model;
    const kind = kinds.findByName(name);
    return kind === undefined ? undefined : fleet.find(kind.kind, ownerOf(name));
  }

  /** Goes where the line leads, or folds what it is the title of. */
  #enter(): void {
    const { leads, fold } = this.#lineNow() ?? {};
    if (leads !== undefined && this.#leadsSomewhere(leads)) this.#go(leads);
    else if (fold !== undefined && !this.#folded.delete(fold)) this.#folded.add(fold);
  }

  #go(leads: NonNullable<DrawnDetail["leads"]>): void {
    const row = this.subject();
    if (leads.type === "resource") {
      const other = this.#findRow(leads.name);
      if (other !== undefined) {
        this.#program.model.push(
          new DetailScreen(this.#program, this.#program.model.kinds.get(other.kind), other.name),
        );
      }
    } else if (row !== undefined && leads.type === "contents") {
      this.#program.openTable(leads.kind, { title: row.id, host: row.id });
    } else if (row !== undefined) {
      const { log } = this.#program.model.kinds;
      if (log !== undefined) this.#program.openTable(log.kind, { title: shortName(row.name), about: row.name });
    }
  }

  #foldAll(): void {
    const titles = this.#lines().flatMap(({ fold }) => fold ?? []);
    if (this.#folded.size > 0) this.#folded.clear();
    else for (const title of titles) this.#folded.add(title);
  }

  /** To the next line that says what is searched for, around both ends. */
  #seek(by: 1 | -1): void {
    const lines = this.#lines();
    const at = lines.findIndex(({ key }) => key === this.#page.picked);
    for (let step = 1; step <= lines.length; step += 1) {
      const line = lines[(at + by * step + lines.length * step) % lines.length];
      if (line === undefined || !saysText(line.line, this.#search)) continue;
      this.#page.pick(line.key);
      return;
    }
  }

  #setSearch(text: string): void {
    this.#search = text;
    const line = this.#lineNow();
    if (line !== undefined && !saysText(line.line, text)) this.#seek(1);
  }

  #show(yaml: boolean): void {
    if (this.#yaml === yaml) return;
    this.#yaml = yaml;
    this.#folded.clear();
    this.#page.move(Number.NEGATIVE_INFINITY);
  }

  #makeCommands(): readonly Command[] {
    const { model } = this.#program;
    const group = "Look";
    const isSearched = (): boolean => this.#search !== "";
    return [
      ...pageCommands(model, this.#page),
      {
        keys: ["enter"],
        title: "go where the line leads; fold or unfold a section",
        group,
        // Of YAML most lines are neither the title of something nor another's name.
        hint: { word: "go, fold", rank: 1, when: () => !this.#yaml || this.#hintOfLine() !== "" },
        run: () => this.#enter(),
      },
      { keys: ["tab"], title: "fold every section, or none", group, run: () => this.#foldAll() },
      {
        keys: ["/"],
        argument: "TEXT",
        title: "search; n and N go to the next and the one before",
        group,
        hint: { word: "search", rank: 3 },
        run: ({ argument }) => {
          const text = this.#search;
          const apply = (typed: string): void => this.#setSearch(typed);
          askText(model, argument, { ...{ type: "filter", text, before: text, apply }, help: "text to search for" });
        },
      },
      {
        keys: ["n"],
        title: "the next place of what is searched for",
        group,
        when: isSearched,
        run: () => this.#seek(1),
      },
      { keys: ["N"], title: "the place before", group, when: isSearched, run: () => this.#seek(-1) },
      { keys: ["d"], title: "describe it", group, hint: { word: "describe", rank: 10 }, run: () => this.#show(false) },
      { keys: ["y"], title: "the same as YAML, or not", group, run: () => this.#show(!this.#yaml) },
    ];
  }
}

/** Opens what the cursor is on, or the resource that stands behind it; where there is none that is said. */
export function showDetails(program: Program, yaml: boolean): void {
  const { model } = program;
  const row = rowHere(model, "open");
  if (row === undefined) return;
  const kind = model.kinds.find(row.kind);
  const name = kind?.behind?.(row);
  if (name !== undefined) showResource(program, name, yaml);
  else if (kind !== undefined) model.push(new DetailScreen(program, kind, row.name, yaml));
}

/** Opens what has that name or short name; says so where nothing has, and is false then. */
export function showNamed(program: Program, id: string): boolean {
  const { model } = program;
  for (const kind of model.kinds.all) {
    const name = findByShortName(model.fleet.rowsOf(kind.kind), id);
    if (name === undefined) continue;
    model.push(new DetailScreen(program, kind, name));
    return true;
  }
  model.say(`there is no "${id}"; names look like alpha, alpha/vm1 or demo`, "warn");
  return false;
}

/** Opens the resource of that full name, if its kind is known. */
export function showResource(program: Program, name: string, yaml = false): void {
  const kind = program.model.kinds.findByName(name);
  if (kind !== undefined) program.model.push(new DetailScreen(program, kind, name, yaml));
}

function findByShortName(rows: Iterable<Row>, id: string): string | undefined {
  for (const row of rows) if (shortName(row.name) === id || row.name === id) return row.name;
  return undefined;
}
