import { counted } from "../../../lib/words.js";
import type { Session } from "../../../proto/gen/zor/v1/session.js";
import { ownerText, placeText } from "../../kinds/session/words.js";
import { FollowedRows } from "../../kit/fleet/followed-rows.js";
import { formatAge } from "../../kit/format.js";
import type { Command } from "../../kit/keys/command.js";
import type { TuiKind } from "../../kit/kind.js";
import { Looks } from "../../kit/map/looks.js";
import { type PickLine, PickPage } from "../../kit/pick-page.js";
import { shortName } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import type { Body, Screen } from "../../kit/screen.js";
import { ageText } from "../../kit/table/columns.js";
import { plainText } from "../../kit/text/plain-text.js";
import { cutLine, type Segment } from "../../kit/text/segment.js";
import { fitText } from "../../kit/text/text-width.js";
import { showDetails } from "../detail/detail-screen.js";
import { pageCommands } from "../move-commands.js";
import type { Program } from "../program.js";

/** What leads into instances now: ports of this machine and of the hub's, and people at consoles. */
export class WaysScreen implements Screen {
  readonly commands: readonly Command[];
  readonly #program: Program;
  readonly #page: PickPage;
  /** Undefined: there is no such kind. */
  readonly #exposes: FollowedRows | undefined;
  readonly #sessions: FollowedRows | undefined;
  #width = 80;
  /** The port that is closed when it is asked for once more. */
  #asked: number | undefined;

  constructor(program: Program) {
    this.#program = program;
    this.#page = new PickPage(() => this.#lines());
    const { fleet, kinds } = program.model;
    const followed = (kind: string): FollowedRows | undefined =>
      kinds.find(kind) === undefined ? undefined : new FollowedRows(fleet.table(kind));
    [this.#exposes, this.#sessions] = [followed("expose"), followed("session")];
    const group = "Look";
    this.commands = [
      ...pageCommands(program.model, this.#page),
      {
        keys: ["enter"],
        title: "details of what it leads to, or of the expose",
        group,
        hint: { word: "open", rank: 1 },
        run: () => showDetails(program, false),
      },
      {
        id: "forward.end",
        keys: ["ctrl-d"],
        title: "end it: close a port of this machine (asks first where it has connections), or delete an expose",
        group: "Act",
        hint: { word: "end", rank: 3 },
        when: () => this.#forwardId() !== undefined,
        run: () => this.#end(),
      },
    ];
  }

  /** Of an expose: its keys act on it. What a port leads to is only looked at from here. */
  get kind(): TuiKind | undefined {
    const row = this.subject();
    return row === undefined ? undefined : this.#program.model.kinds.find(row.kind);
  }

  title(): string {
    return "ways into instances";
  }

  line(): string {
    return "forwards";
  }

  draw(width: number, height: number): Body {
    this.#width = width;
    const { lines, extent } = this.#page.window(height);
    return { lines: lines.map((each) => ({ ...each, line: cutLine(each.line, width) })), extent };
  }

  subject(): Row | undefined {
    return this.#program.model.fleet.findByName((this.#page.picked ?? "").split(" ")[1] ?? "");
  }

  #forwardId(): number | undefined {
    const [type, , id] = (this.#page.picked ?? "").split(" ");
    return type === "forward" ? Number(id) : undefined;
  }

  #end(): void {
    const { forwards, model } = this.#program;
    const id = this.#forwardId();
    const forward = forwards.all.find((each) => each.id === id);
    if (id === undefined || forward === undefined) return;
    const { open } = forward.counts;
    if (open > 0 && this.#asked !== id) {
      this.#asked = id;
      model.say(`${counted(open, "connection")} would be cut; once more closes ${forward.address}`, "warn");
      return;
    }
    this.#asked = undefined;
    forwards.end(id);
  }

  #lines(): readonly PickLine[] {
    const ports = this.#forwardLines();
    const exposes = this.#exposeLines();
    const sessions = this.#sessionLines();
    return [
      headingLine("Ports of this machine", "while this program runs; :forward 8080:80 opens one"),
      ...orNone(ports, "none"),
      { line: [] },
      headingLine("Ports of the hub", "zor expose opens one"),
      ...orNone(exposes, "none"),
      { line: [] },
      headingLine("People at consoles and shells", ":sessions tells more; x ends one"),
      ...orNone(sessions, "nobody"),
    ];
  }

  #forwardLines(): readonly PickLine[] {
    const { forwards, model } = this.#program;
    return forwards.all.map(({ id, name, remote, address, counts, sinceMs, trouble }) =>
      this.#line(`forward ${name} ${id}`, () => {
        const { open, taken } = counts;
        const facts = `${open} open, ${counted(taken, "connection")} so far, for ${formatAge(model.nowMs - sinceMs)}`;
        return [
          { text: `${fitText(address, 22)} → ` },
          { text: fitText(plainText(`${shortName(name)}:${remote}`), 28, "left", "middle"), tone: "strong" },
          { text: ` ${facts}`, tone: "dim" },
          { text: trouble === "" ? "" : `  ! ${plainText(trouble)}`, tone: "warn" },
        ];
      }),
    );
  }

  #exposeLines(): readonly PickLine[] {
    const { fleet, kinds, context } = this.#program.model;
    const kind = kinds.find("expose");
    if (kind === undefined || this.#exposes === undefined) return [];
    const looks = new Looks(fleet);
    // What its table tells first of it is told here as well.
    const told = kind.columns.filter(({ id, importance }) => importance >= 8 && id !== "state");
    return Array.from(this.#exposes.rows, (row) =>
      this.#line(`expose ${row.name}`, () => {
        const { symbol, word, tone } = looks.styleOfRow(row);
        return [
          { text: `${symbol} ${word}  `, tone },
          { text: told.map((column) => plainText(column.cell(row, context).text)).join("  ") },
        ];
      }),
    );
  }

  #sessionLines(): readonly PickLine[] {
    // Rows of this kind hold sessions.
    return Array.from(this.#sessions?.rows ?? [], (row) =>
      this.#line(`session ${row.name}`, () => this.#sessionText(row as Row<Session>)),
    );
  }

  #sessionText({ resource }: Row<Session>): readonly Segment[] {
    const { target, writable, createTime } = resource;
    const how = `${writable ? "types" : "looks"} at ${plainText(placeText(resource))}`;
    return [
      { text: fitText(plainText(ownerText(resource)), 22) },
      { text: `   ${fitText(plainText(shortName(target)), 28, "left", "middle")}`, tone: "strong" },
      { text: ` ${how}, for ${ageText(createTime, this.#program.model.context)}`, tone: "dim" },
    ];
  }

  /** What is not on the screen is not put into words. */
  #line(key: string, segments: () => readonly Segment[]): PickLine {
    const width = this.#width;
    return {
      key,
      get line() {
        return cutLine([{ text: "   " }, ...segments()], width);
      },
    };
  }
}

function headingLine(text: string, aside: string): PickLine {
  return {
    line: [
      { text: ` ${text}`, tone: "accent" },
      { text: `  ${aside}`, tone: "dim" },
    ],
  };
}

function orNone(lines: readonly PickLine[], none: string): readonly PickLine[] {
  return lines.length > 0 ? lines : [{ line: [{ text: `   ${none}`, tone: "dim" }] }];
}
