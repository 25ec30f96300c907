import { describeLines } from "../../kit/describe/describe-lines.js";
import { yamlOf } from "../../kit/describe/yaml.js";
import type { Command } from "../../kit/keys/command.js";
import type { TuiKind } from "../../kit/kind.js";
import { Page } from "../../kit/page.js";
import { shortName } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import { type Body, fixedBody, pageBody, type Screen } from "../../kit/screen.js";
import { pageCommands } from "../move-commands.js";
import type { Program } from "../program.js";

/** Everything known of one resource, for people or as YAML. */
export class DetailScreen implements Screen {
  readonly kind: TuiKind;
  /** Name of the resource. */
  readonly name: string;
  readonly commands: readonly Command[];
  readonly #program: Program;
  #page = new Page();
  #yaml: boolean;

  constructor(program: Program, kind: TuiKind, name: string, yaml = false) {
    this.#program = program;
    this.kind = kind;
    this.name = name;
    this.#yaml = yaml;
    const { model } = program;
    this.commands = [
      ...pageCommands(model, { move: (by) => this.#page.move(by), page: (by) => this.#page.page(by) }),
      {
        keys: ["d"],
        title: "describe it",
        group: "Look",
        hint: { word: "describe", rank: 10 },
        run: () => this.#show(false),
      },
      { keys: ["y"], title: "the same as YAML", group: "Look", run: () => this.#show(true) },
    ];
  }

  title(): string {
    return `${this.kind.kind} ${shortName(this.name)}${this.#yaml ? " yaml" : ""}`;
  }

  draw(width: number, height: number): Body {
    const row = this.subject();
    if (row === undefined) return fixedBody([[], [{ text: "   it is gone; esc goes back", tone: "warn" }]]);
    const lines = this.#yaml ? yamlOf(row) : this.kind.describe(row, this.#program.model.context);
    return pageBody(this.#page, describeLines(lines, width), height);
  }

  subject(): Row | undefined {
    return this.#program.model.fleet.find(this.kind.kind, this.name);
  }

  targets(): readonly Row[] {
    const row = this.subject();
    return row === undefined ? [] : [row];
  }

  #show(yaml: boolean): void {
    this.#yaml = yaml;
    this.#page = new Page();
  }
}

/** Opens what the cursor is on, or the resource that stands behind it; nothing happens where there is none. */
export function showDetails(program: Program, yaml: boolean): void {
  const { model } = program;
  const row = model.screen.subject();
  if (row === undefined) return;
  const kind = model.kinds.find(row.kind);
  const name = kind?.behind?.(row);
  if (name !== undefined) showResource(program, name, yaml);
  else if (kind !== undefined) model.push(new DetailScreen(program, kind, row.name, yaml));
}

/** Opens what has that name or short name; says so where nothing has. */
export function showNamed(program: Program, id: string): void {
  const { model } = program;
  for (const kind of model.kinds.all) {
    const name = findByShortName(model.fleet.rowsOf(kind.kind), id);
    if (name === undefined) continue;
    model.push(new DetailScreen(program, kind, name));
    return;
  }
  model.say(`there is no "${id}"; names look like alpha, alpha/vm1 or demo`, "warn");
}

function showResource(program: Program, name: string, yaml: boolean): void {
  const kind = program.model.kinds.findByName(name);
  if (kind !== undefined) program.model.push(new DetailScreen(program, kind, name, yaml));
}

function findByShortName(rows: Iterable<Row>, id: string): string | undefined {
  for (const row of rows) if (shortName(row.name) === id || row.name === id) return row.name;
  return undefined;
}
