import type { Command } from "../../kit/keys/command.js";
import type { TuiKind } from "../../kit/kind.js";
import { draw } from "../../kit/map/draw.js";
import { mapWords } from "../../kit/map/as-words.js";
import { GraphReader } from "../../kit/map/graph.js";
import { Looks } from "../../kit/map/looks.js";
import { miniMap, thingNear } from "../../kit/map/mini-map.js";
import type { Rect } from "../../kit/map/rect.js";
import { type Scene, type SceneThing, type Zoom, zooms } from "../../kit/map/scene.js";
import { firstHost, SceneMaker } from "../../kit/map/scene-maker.js";
import { scrolled, type Seen } from "../../kit/map/scroll.js";
import { thingAt } from "../../kit/map/thing-at.js";
import { type Direction, nearestTo, nextFrom, Walk } from "../../kit/map/walk.js";
import type { Row } from "../../kit/row.js";
import { type Body, type BodyLine, fixedBody, type Screen } from "../../kit/screen.js";
import type { Spoken } from "../../kit/spoken/spoken.js";
import type { Line } from "../../kit/text/segment.js";
import { showDetails, showResource } from "../detail/detail-screen.js";
import type { Program } from "../program.js";
import { asideOf, cableFacts } from "./map-aside.js";
import { markEnd } from "./cable-commands.js";
import { type MapControl, mapCommands } from "./map-commands.js";
import { MapSearch } from "./map-search.js";
import { TableScreen } from "../table/table-screen.js";

/** Cells of the mini-map, and of the terminal that there has to be beside it. */
const mini = { width: 16, height: 8, besides: 56 } as const;
/** A fleet of no more things is shown with what is in its hosts from the beginning. */
const fewThings = 60;
/** Some more of the terminal is moved by a page. */
const pageShare = 0.7;

/** Hosts, lans and what is plugged into them, with the cables between them. */
export class MapScreen implements Screen {
  readonly commands: readonly Command[];
  readonly #program: Program;
  readonly #reader: GraphReader;
  readonly #maker: SceneMaker;
  readonly #search: MapSearch;
  #zoom: Zoom | undefined;
  /** Name of what the cursor is on. */
  #cursor: string;
  #cursorThing: SceneThing | undefined;
  /** What the cursor was on before it came to a host by looking from further away. */
  #left: string | undefined;
  /** The host that is open when not all can be. */
  #focus = "";
  #offset = { x: 0, y: 0 };
  #seen: Seen = { width: 80, height: 20 };
  #hasMini = true;
  #walk: Walk | undefined;
  /** A resource that the cursor goes to when it comes. */
  #awaited: string | undefined;
  #drawn: { readonly key: string; readonly body: Body } | undefined;

  /** @param cursor name of the resource that the cursor is on at first, or of its host. */
  constructor(program: Program, cursor = "") {
    this.#program = program;
    const { fleet } = program.model;
    this.#reader = new GraphReader(fleet);
    this.#maker = new SceneMaker(fleet.kinds);
    this.#cursor = cursor;
    this.#search = new MapSearch(program, {
      at: () => ({ cursor: this.#cursor, zoom: this.#zoom, focus: this.#focus }),
      goBack: ({ cursor, zoom, focus }) => {
        [this.#cursor, this.#zoom, this.#focus] = [cursor, zoom, focus];
      },
      find: (name) => this.#find(name),
    });
    this.commands = mapCommands(program, this.#control(), this.#search);
  }

  get kind(): TuiKind | undefined {
    const row = this.subject();
    return row === undefined ? undefined : this.#program.model.kinds.find(row.kind);
  }

  title(): string {
    return "map";
  }

  draw(width: number, height: number): Body {
    const { fleet, nowMs } = this.#program.model;
    const scene = this.#scene();
    if (scene.byName.size === 0) return fixedBody(emptyLines(fleet.loaded));
    const isOld = fleet.connection.phase === "lost" || fleet.connection.phase === "refused";
    // What waits for an answer may change its looks without a version: it is drawn each time.
    const isWaiting = fleet.pending.size > 0 || fleet.isSilent(nowMs);
    const key = isWaiting
      ? ""
      : `${width}x${height} ${this.#reader.version} ${scene.zoom} ${this.#cursor} ${this.#hasMini} ${isOld} ${this.#search.text} ${this.#program.cabling.from ?? ""}`;
    if (key !== "" && this.#drawn?.key === key) return this.#drawn.body;
    const body = this.#draw(scene, { width, height }, isOld);
    this.#drawn = { key, body };
    return body;
  }

  say(): Spoken {
    return mapWords(this.#reader.read(), this.#program.model.fleet, (name) => showResource(this.#program, name));
  }

  line(): string {
    return "map";
  }

  click({
    column,
    line,
    isDouble,
  }: {
    readonly column: number;
    readonly line: number;
    readonly isDouble: boolean;
  }): void {
    const beside = column - this.#seen.width - 1;
    const size = { width: mini.width, height: Math.min(mini.height, this.#seen.height) };
    const name =
      beside < 0
        ? thingAt(this.#scene(), { x: this.#offset.x + column, y: this.#offset.y + line })
        : line < size.height
          ? thingNear(this.#scene(), { x: beside, y: line }, size)?.name
          : undefined;
    if (name === undefined) return;
    this.#cursor = name;
    this.#left = undefined;
    this.#scene();
    if (isDouble && beside < 0) this.#open();
  }

  goTo(kind: string, name: string): boolean {
    if (this.#program.model.kinds.find(kind)?.map === undefined) return false;
    this.#awaited = name;
    return true;
  }

  back(): boolean {
    const { cabling } = this.#program;
    if (cabling.from !== undefined) cabling.drop();
    else return this.#search.end();
    return true;
  }

  subject(): Row | undefined {
    const scene = this.#scene();
    const thing = scene.byName.get(this.#cursor);
    return thing === undefined ? undefined : new Looks(this.#program.model.fleet).rowOf(thing);
  }

  targets(): readonly Row[] {
    const row = this.subject();
    // Several cables that are drawn as one are not acted on by accident.
    return row === undefined || row.name !== this.#cursor ? [] : [row];
  }

  #scene(): Scene {
    const graph = this.#reader.read();
    if (this.#zoom === undefined || this.#focus === "") {
      let things = 0;
      for (const host of graph.hosts.values()) things += host.lans.length + host.things.length + host.cables.length;
      this.#focus =
        this.#cursor.split("/")[0] === "hosts" ? (this.#cursor.split("/")[1] ?? "") : (firstHost(graph)?.id ?? "");
      if (things > 0) this.#zoom ??= things <= fewThings || this.#cursor.split("/").length > 2 ? "host" : "fleet";
    }
    const scene = this.#maker.make(graph, this.#zoom ?? "fleet", this.#focus);
    if (this.#awaited !== undefined && scene.byName.has(this.#awaited)) {
      this.#cursor = this.#awaited;
      this.#awaited = undefined;
    }
    const known = scene.byName.get(this.#cursor);
    if (known === undefined) this.#cursor = this.#standIn(scene) ?? "";
    this.#cursorThing = scene.byName.get(this.#cursor);
    return scene;
  }

  /** Where the cursor goes when what it was on is not there: to what it is in, else to what is near. */
  #standIn(scene: Scene): string | undefined {
    const bundle = scene.things.find(({ members }) => members?.includes(this.#cursor) === true);
    const [member] = (this.#cursorThing?.members ?? []).filter((name) => scene.byName.has(name));
    const host = this.#cursor.split("/").slice(0, 2).join("/");
    const isClosed = scene.zoom === "fleet" && scene.byName.has(host);
    return bundle?.name ?? member ?? (isClosed ? host : nearestTo(scene, this.#cursorThing ?? scene.byName.get(host)));
  }

  #draw(scene: Scene, { width, height }: Seen, isOld: boolean): Body {
    const { fleet } = this.#program.model;
    const isWhole = scene.width <= width && scene.height <= height;
    const hasMini = !isWhole && this.#hasMini && width >= mini.width + mini.besides && height > 3;
    const room = { width: hasMini ? width - mini.width - 1 : width, height };
    this.#seen = room;
    this.#offset = scrolled(scene, this.#cursorThing, { offset: this.#offset, seen: room });
    const view: Rect = { ...this.#offset, ...room };
    const looks = new Looks(fleet);
    const lines = draw({ scene, looks, view, cursor: this.#cursor }).lines();
    const beside = hasMini ? this.#beside(scene, looks, view) : [];
    const body = lines.map(
      (line, index): BodyLine => ({ line: hasMini ? [...line, ...(beside[index] ?? [])] : line, faded: isOld }),
    );
    return {
      lines: body,
      extent: { top: view.y, shown: Math.min(height, scene.height), length: scene.height },
      facts: [
        { text: ` ${zoomWords[scene.zoom]}`, tone: "strong" },
        ...this.#search.facts(this.#cursor),
        ...cableFacts(this.#program.cabling),
      ],
      aside: this.#aside(looks),
    };
  }

  /** The mini-map, with a line between it and the map. */
  #beside(scene: Scene, looks: Looks, view: Rect): readonly Line[] {
    const size = { width: mini.width, height: Math.min(mini.height, view.height) };
    const lines = miniMap(scene, looks, { view, cursor: this.#cursor, ...size }).lines();
    return Array.from({ length: view.height }, (_, index) => [
      { text: "│", tone: "dim" as const },
      ...(lines[index] ?? [{ text: " ".repeat(mini.width) }]),
    ]);
  }

  #aside(looks: Looks): string {
    return asideOf(this.#program.model.kinds, looks, this.#cursorThing);
  }

  #go(direction: Direction): void {
    this.#cursor = this.#walkOn(this.#scene()).step(this.#cursor, direction) ?? this.#cursor;
    this.#left = undefined;
  }

  #walkOn(scene: Scene): Walk {
    if (this.#walk?.scene !== scene) this.#walk = new Walk(scene);
    return this.#walk;
  }

  #next(by: 1 | -1): void {
    this.#cursor = nextFrom(this.#scene(), this.#cursor, by) ?? this.#cursor;
    this.#left = undefined;
  }

  /** Walks on until a page has been gone, or there is nothing more. */
  #page(direction: "up" | "down"): void {
    const far = Math.max(1, Math.floor(this.#seen.height * pageShare));
    const scene = this.#scene();
    const from = scene.byName.get(this.#cursor)?.label.y ?? 0;
    for (;;) {
      const next = this.#walkOn(scene).step(this.#cursor, direction);
      if (next === undefined) return;
      this.#cursor = next;
      if (Math.abs((scene.byName.get(next)?.label.y ?? 0) - from) >= far) return;
    }
  }

  #end(by: "first" | "last"): void {
    const names = [...this.#scene().byName.keys()];
    this.#cursor = (by === "first" ? names[0] : names.at(-1)) ?? this.#cursor;
  }

  /** Nearer or further; the cursor stays on what it is on, or goes to the host that it is in. */
  #look(by: 1 | -1): void {
    const scene = this.#scene();
    const zoom = zooms[zooms.indexOf(scene.zoom) + by];
    if (zoom === undefined) {
      this.#program.model.say(by > 0 ? "this is as near as it gets" : "this is the whole fleet");
      return;
    }
    this.#zoomTo(zoom);
  }

  #zoomTo(zoom: Zoom): void {
    const before = this.#cursor;
    this.#zoom = zoom;
    const host = this.#cursorThing?.host ?? "";
    if (host !== "") this.#focus = host;
    const left = this.#left;
    const scene = this.#scene();
    const isBack = left !== undefined && scene.byName.has(left) && left.startsWith(`${before}/`);
    if (isBack) this.#cursor = left;
    this.#left = isBack || this.#cursor === before ? left : before;
    this.#cursorThing = scene.byName.get(this.#cursor);
  }

  /** As near as everything fits on the screen, else the whole fleet. */
  #whole(): void {
    this.#scene();
    const fits = [...zooms].reverse().find((zoom) => {
      const { width, height } = this.#maker.make(this.#reader.read(), zoom, this.#focus);
      return width <= this.#seen.width && height <= this.#seen.height;
    });
    this.#zoomTo(fits ?? "fleet");
    this.#offset = { x: 0, y: 0 };
  }

  /** The table that it leads to, else its details; what is closed is opened. */
  #open(): void {
    const thing = this.#cursorThing;
    const row = this.subject();
    const { cabling } = this.#program;
    if (cabling.from !== undefined && row !== undefined && thing?.members === undefined) {
      markEnd(this.#program, row);
      return;
    }
    if (thing?.members !== undefined) {
      this.#look(1);
      return;
    }
    const opening = row === undefined ? undefined : this.kind?.open?.(row);
    if (opening === undefined) showDetails(this.#program, false);
    else this.#program.model.push(new TableScreen(this.#program, opening.kind, opening.scope));
  }

  #anew(): void {
    this.#maker.forget();
    this.#drawn = undefined;
    this.#program.model.say("laid out anew");
  }

  /** Puts the cursor on something, wherever it is: what it is in is opened. */
  #find(name: string): void {
    if (!this.#scene().byName.has(name)) {
      const [collection, host = ""] = name.split("/");
      if (collection === "hosts") this.#focus = host;
      if (this.#zoom === "fleet") this.#zoom = "host";
    }
    this.#cursor = name;
    this.#left = undefined;
    this.#scene();
  }

  #control(): MapControl {
    return {
      go: (direction) => this.#go(direction),
      next: (by) => this.#next(by),
      page: (direction) => this.#page(direction),
      end: (by) => this.#end(by),
      open: () => this.#open(),
      look: (by) => this.#look(by),
      whole: () => this.#whole(),
      turnMini: () => {
        this.#hasMini = !this.#hasMini;
      },
      anew: () => this.#anew(),
    };
  }
}

const zoomWords: Readonly<Record<Zoom, string>> = {
  fleet: "of hosts",
  host: "of what is in hosts",
  lan: "of every plug",
};

function emptyLines(isLoaded: boolean): readonly Line[] {
  const text = isLoaded ? "nothing is on the map; register a host with: zor host add NAME" : "reading the fleet";
  return [[], [{ text: `   ${text}`, tone: "dim" }]];
}

/** Opens the map, with the cursor on what it is on now. */
export function showMap(program: Program): void {
  const { model } = program;
  model.push(new MapScreen(program, model.screen.subject()?.name ?? ""));
}
