import { counted } from "../../../lib/words.js";
import type { CellContext } from "../../kit/fleet/fleet-view.js";
import type { Fleet } from "../../kit/fleet/fleet.js";
import { hostsOf, pluralOf } from "../../kit/kind-table.js";
import { GraphReader, hostsOf as hostsOfCable, type MapHost, type MapThing } from "../../kit/map/graph.js";
import type { MapEnd } from "../../kit/map/role.js";
import { idOf, shortName } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import { plainText } from "../../kit/text/plain-text.js";
import type { Segment } from "../../kit/text/segment.js";
import type { TreeNode } from "../../kit/tree/node.js";
import { groupNode, rowNode, textNode } from "../../kit/tree/row-node.js";
import { type Troubled, TroubleReader } from "../../kit/trouble/trouble-reader.js";
import type { TreeSource } from "../tree/tree-screen.js";

/** Of the columns of ports those that are told on their line. */
const toldOfPorts: ReadonlySet<string> = new Set(["port", "in", "out", "drops"]);

/** Something with the end of it that is plugged in. */
interface Plugged {
  readonly thing: MapThing;
  readonly end: MapEnd;
}

/** The fleet as a tree: hosts, their lans, what is plugged into them, and what that has; and all else that is on a host. */
export class XrayTree implements TreeSource {
  readonly line = "xray";
  readonly empty = "no hosts yet; register one with: zor host add NAME";
  readonly #fleet: Fleet;
  readonly #graph: GraphReader;
  readonly #reader: TroubleReader;
  #troubled: readonly Troubled[] = [];
  #onHosts: ReadonlyMap<string, readonly Troubled[]> = new Map();
  #context: CellContext;

  constructor(fleet: Fleet, context: CellContext) {
    this.#fleet = fleet;
    this.#graph = new GraphReader(fleet);
    this.#reader = new TroubleReader(fleet);
    this.#context = context;
  }

  title(): string {
    return "xray";
  }

  roots(context: CellContext): readonly TreeNode[] {
    this.#context = context;
    this.#troubled = this.#reader.read(context);
    this.#onHosts = byHost(this.#troubled);
    const { hosts, cables } = this.#graph.read();
    const single = hosts.size === 1;
    return [
      ...[...hosts.values()].map((host) => this.#hostNode(host, cables, single)),
      ...(cables.length === 0 ? [] : [this.#cablesNode("between hosts", "cables between hosts", cables)]),
    ];
  }

  #hostNode(host: MapHost, between: readonly MapThing[], isOpenAtFirst: boolean): TreeNode {
    const { presence } = this.#fleet.kinds;
    const row = presence === undefined ? undefined : this.#fleet.find(presence.kind, host.name);
    const counts = this.#fleet.contentsOf(host.id).map(({ kind, count }) => counted(count, kind, this.#plural(kind)));
    // What is wrong stands first: what there is may be cut.
    const facts: Segment[] = [
      ...countSegments(this.#onHosts.get(host.id) ?? []),
      { text: `  ${counts.join(", ")}`, tone: "dim" },
    ];
    const children = (): readonly TreeNode[] => this.#onHost(host, between);
    const key = host.name;
    // An agent that is asked itself does not list its own host.
    if (row === undefined) {
      const line: Segment[] = [{ text: "host ", tone: "dim" }, { text: plainText(host.id), tone: "strong" }, ...facts];
      return { key, line, searched: host.id, children, isOpenAtFirst };
    }
    return rowNode(this.#fleet, row, { key, context: this.#context, facts, children, isOpenAtFirst });
  }

  #onHost(host: MapHost, between: readonly MapThing[]): readonly TreeNode[] {
    const plugged = pluggedInto([
      ...host.things,
      ...host.cables,
      ...between.filter((cable) => hostsOfCable(cable).includes(host.id)),
    ]);
    const loose = host.things.filter(({ ends }) => !ends.some(({ into }) => into !== ""));
    return [
      ...host.lans.flatMap((lan) => this.#lanNode(lan, plugged.get(lan.name) ?? [])),
      ...(loose.length === 0
        ? []
        : [
            groupNode(`${host.name} loose`, `in no lan (${loose.length})`, () =>
              loose.flatMap((thing) => this.#thingNode(thing, `${host.name} loose`)),
            ),
          ]),
      ...(host.cables.length === 0 ? [] : [this.#cablesNode(host.name, "cables within the host", host.cables)]),
      ...this.#restNodes(host),
    ];
  }

  #lanNode(lan: MapThing, plugged: readonly Plugged[]): readonly TreeNode[] {
    const row = this.#fleet.find(lan.kind, lan.name);
    if (row === undefined) return [];
    const names = new Set(plugged.map(({ thing }) => thing.name));
    const facts: Segment[] = [
      ...countSegments(this.#troubled.filter(({ row: troubled }) => names.has(troubled.name))),
      { text: `  ${plugged.length} plugged in`, tone: "dim" },
    ];
    const children = (): readonly TreeNode[] => {
      const ports = this.#portsOf(row);
      return plugged.map((each) => this.#portNode(lan, each, ports.get(each.end.name)));
    };
    return [rowNode(this.#fleet, row, { key: lan.name, context: this.#context, facts, children })];
  }

  /** What the agent says of the ports of a lan, by what is plugged in. */
  #portsOf(lan: Row): ReadonlyMap<string, readonly string[]> {
    const parts = this.#fleet.kinds.find(lan.kind)?.parts ?? [];
    return new Map(
      parts.flatMap(({ kind, rowsOf }) => {
        const told = kind.columns.filter(({ id }) => toldOfPorts.has(id));
        return rowsOf(lan).map(
          (row) =>
            [
              row.name,
              told.map((column) => `${column.title.toLowerCase()} ${column.cell(row, this.#context).text}`),
            ] as const,
        );
      }),
    );
  }

  #portNode(lan: MapThing, { thing, end }: Plugged, told: readonly string[] | undefined): TreeNode {
    const key = `${lan.name} ${end.name}`;
    const row = this.#fleet.find(thing.kind, thing.name);
    const word = end.word === "" ? "" : `${end.word} of `;
    const note =
      row === undefined ? "" : (this.#fleet.kinds.find(row.kind)?.map?.noteOf?.(row.resource, end.name) ?? "");
    const facts = [note, ...(told ?? ["wanted, not plugged in now"])].filter((text) => text !== "").join("  ");
    const line: Segment[] = [
      { text: told === undefined ? "○ " : "● ", tone: told === undefined ? "dim" : "good" },
      { text: "port ", tone: "dim" },
      { text: plainText(`${word}${idOf(thing.name)}`) },
      { text: `  ${plainText(facts)}`, tone: "dim" },
    ];
    return {
      ...{ key, line, searched: `port ${shortName(end.name)} ${facts}`, children: () => this.#thingNode(thing, key) },
      ...(row === undefined ? {} : { row }),
    };
  }

  #thingNode(thing: MapThing, above: string): readonly TreeNode[] {
    const row = this.#fleet.find(thing.kind, thing.name);
    return row === undefined ? [] : [this.#rowNode(row, `${above} ${thing.name}`)];
  }

  /** A resource with what is inside it, and with what goes with it when it is deleted. */
  #rowNode(row: Row, key: string): TreeNode {
    const kind = this.#fleet.kinds.find(row.kind);
    const figures = (kind?.map?.figuresOf?.(row.resource) ?? []).filter((text) => text !== "");
    const inside = kind?.insideOf?.(row) ?? [];
    const children = (): readonly TreeNode[] => [
      ...inside.map(({ label, text }, index) =>
        textNode(`${key} ${index}`, [{ text: `${plainText(label)}  `, tone: "dim" }, { text: plainText(text) }]),
      ),
      ...this.#belongingTo(row).map((other) => this.#rowNode(other, `${key} ${other.name}`)),
    ];
    const facts: Segment[] = figures.length === 0 ? [] : [{ text: `  ${plainText(figures.join("  "))}`, tone: "dim" }];
    const isLeaf = inside.length === 0 && this.#belongingTo(row).length === 0;
    return rowNode(this.#fleet, row, { key, context: this.#context, facts, ...(isLeaf ? {} : { children }) });
  }

  /** What is on the same host and suffers when a resource is deleted; cables stand elsewhere. */
  #belongingTo(row: Row): readonly Row[] {
    return this.#fleet.kinds.all
      .filter(({ suffersFrom, map }) => suffersFrom !== undefined && map === undefined)
      .flatMap((kind) =>
        [...this.#fleet.table(kind.kind).namesOn(row.host)]
          .sort()
          .flatMap((name) => this.#fleet.find(kind.kind, name) ?? [])
          .filter((other) => other.name !== row.name && kind.suffersFrom?.(other, row) !== undefined),
      );
  }

  /** Everything else on a host that is no part of what stands above. */
  #restNodes({ id, name }: MapHost): readonly TreeNode[] {
    return this.#fleet.kinds.all.flatMap((kind) => {
      const isElsewhere = kind.map !== undefined || kind.log !== undefined || kind.presence !== undefined;
      const names = isElsewhere ? [] : [...this.#fleet.table(kind.kind).namesOn(id)].sort();
      if (names.length === 0) return [];
      const key = `${name} ${kind.kind}`;
      return [
        groupNode(key, `${pluralOf(kind)} (${names.length})`, () =>
          names.flatMap((each) => {
            const row = this.#fleet.find(kind.kind, each);
            return row === undefined ? [] : [this.#rowNode(row, `${key} ${each}`)];
          }),
        ),
      ];
    });
  }

  #cablesNode(key: string, title: string, cables: readonly MapThing[]): TreeNode {
    return groupNode(`${key} cables`, `${title} (${cables.length})`, () =>
      cables.flatMap((cable) => this.#thingNode(cable, `${key} cables`)),
    );
  }

  #plural(kind: string): string {
    return pluralOf(this.#fleet.kinds.get(kind));
  }
}

/** What is wrong on each host, by its id. */
function byHost(troubled: readonly Troubled[]): ReadonlyMap<string, readonly Troubled[]> {
  const found = new Map<string, Troubled[]>();
  for (const each of troubled) {
    const { kind, row } = each;
    if (kind.presence !== undefined) continue;
    for (const host of new Set(hostsOf(kind, row))) {
      const there = found.get(host);
      if (there === undefined) found.set(host, [each]);
      else there.push(each);
    }
  }
  return found;
}

/** How many things are in trouble. */
function countSegments(troubled: readonly Troubled[]): readonly Segment[] {
  const bad = troubled.filter(({ trouble }) => trouble.tone === "bad").length;
  const warn = troubled.length - bad;
  return [
    ...(bad === 0 ? [] : [{ text: `  ✗ ${bad}`, tone: "bad" } as const]),
    ...(warn === 0 ? [] : [{ text: `  ! ${warn}`, tone: "warn" } as const]),
  ];
}

/** What is plugged into each lan. */
function pluggedInto(things: readonly MapThing[]): ReadonlyMap<string, readonly Plugged[]> {
  const plugged = new Map<string, Plugged[]>();
  for (const thing of things) {
    for (const end of thing.ends) {
      const there = plugged.get(end.into);
      if (there === undefined) plugged.set(end.into, [{ thing, end }]);
      else there.push({ thing, end });
    }
  }
  return plugged;
}
