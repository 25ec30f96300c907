import type { Fleet } from "../fleet/fleet.js";
import { hostOf, idOf } from "../resource-name.js";
import type { Row } from "../row.js";
import type { TuiKind } from "../kind.js";
import type { MapEnd, MapRole } from "./role.js";

/** A resource on the map, without its state: what decides where it is drawn. */
export interface MapThing {
  readonly name: string;
  readonly kind: string;
  /** As it is written on the map. */
  readonly id: string;
  readonly word: string;
  readonly shape: MapRole["shape"];
  readonly ends: readonly MapEnd[];
}

/** What is on one host. */
export interface MapHost {
  readonly id: string;
  /** "hosts/alpha" */
  readonly name: string;
  readonly lans: readonly MapThing[];
  readonly things: readonly MapThing[];
  /** Cables whose ends are on this host, or nowhere. */
  readonly cables: readonly MapThing[];
  /** The same as long as nothing of it has to be drawn elsewhere. */
  readonly signature: string;
}

/** All that is on the map. */
export interface MapGraph {
  /** By id, in the order of ids. */
  readonly hosts: ReadonlyMap<string, MapHost>;
  /** Cables between hosts. */
  readonly cables: readonly MapThing[];
  readonly signature: string;
}

/** Name of the thing or lan that an end belongs to: of an interface its instance. */
export function ownerOf(name: string): string {
  return name.split("/").slice(0, 4).join("/");
}

/** Reads the map off a fleet; what did not change since the last time is not looked at again. */
export class GraphReader {
  readonly #fleet: Fleet;
  readonly #only: string | undefined;
  readonly #kinds: readonly (TuiKind & { readonly map: MapRole })[];
  readonly #versions = new Map<string, number>();
  #onHosts = new Map<string, Part>();
  #version = 0;
  #graph: MapGraph = { hosts: new Map(), cables: [], signature: "" };

  /** @param only the host that the map is narrowed to: of others only what its cables lead to is shown, closed. */
  constructor(fleet: Fleet, only?: string) {
    this.#fleet = fleet;
    this.#only = only;
    this.#kinds = fleet.kinds.all.filter((kind) => hasRole(kind));
  }

  /** Grows whenever something that is on the map has changed, as far as it was read. */
  get version(): number {
    return this.#version;
  }

  /** The map as it is now; the same object while nothing moves. */
  read(): MapGraph {
    const touched = this.#touched();
    if (touched.size === 0) return this.#graph;
    this.#version += 1;
    const { presence } = this.#fleet.kinds;
    const listed = presence === undefined ? [] : [...this.#fleet.rowsOf(presence.kind)].map(({ id }) => id);
    const known = new Set([...listed, ...this.#kinds.flatMap(({ kind }) => [...this.#fleet.table(kind).hosts])]);
    known.delete("");
    const parts = new Map<string, Part>();
    for (const host of known) {
      const before = touched.has(host) ? undefined : this.#onHosts.get(host);
      parts.set(host, before ?? this.#thingsOn(host));
    }
    this.#onHosts = parts;
    const graph = narrowed(graphOf(parts, this.#thingsOn("")), this.#only);
    if (graph.signature !== this.#graph.signature) this.#graph = graph;
    return this.#graph;
  }

  /** Ids of hosts with rows that changed since the last time, "" for the hub; not one when nothing did. */
  #touched(): ReadonlySet<string> {
    const touched = new Set<string>();
    const { presence } = this.#fleet.kinds;
    const watched = presence === undefined ? this.#kinds : [presence, ...this.#kinds];
    for (const { kind } of watched) {
      const table = this.#fleet.table(kind);
      const changes = table.changesSince(this.#versions.get(kind) ?? -1);
      this.#versions.set(kind, changes.version);
      for (const host of changes.everything ? table.hosts : changes.hosts) touched.add(host);
    }
    return touched;
  }

  #thingsOn(host: string): Part {
    const all = this.#kinds.flatMap((kind) =>
      [...this.#fleet.table(kind.kind).namesOn(host)].sort(byId).flatMap((name) => {
        const row = this.#fleet.find(kind.kind, name);
        return row === undefined ? [] : [thingOf(kind, row)];
      }),
    );
    return partOf(all);
  }
}

/** What was read of one host, or of the hub, sorted once. */
interface Part {
  readonly lans: readonly MapThing[];
  readonly things: readonly MapThing[];
  readonly cables: readonly MapThing[];
  readonly signature: string;
}

function partOf(all: readonly MapThing[]): Part {
  return {
    lans: all.filter(({ shape }) => shape === "lan"),
    things: all.filter(({ shape }) => shape === "thing"),
    cables: all.filter(({ shape }) => shape === "cable"),
    signature: signatureOf(all),
  };
}

/** Puts cables where their ends are. Hosts that only cables lead to are there as well, empty. */
function graphOf(parts: ReadonlyMap<string, Part>, ofHub: Part): MapGraph {
  const between: MapThing[] = [];
  const within = new Map<string, MapThing[]>();
  for (const cable of [...[...parts.values()].flatMap(({ cables }) => cables), ...ofHub.cables]) {
    const [first = hostOf(cable.name), second] = hostsOf(cable);
    if (second !== undefined) between.push(cable);
    else if (first !== undefined) within.set(first, [...(within.get(first) ?? []), cable]);
  }
  const ids = new Set([...parts.keys(), ...within.keys(), ...between.flatMap(hostsOf)]);
  const hosts = new Map<string, MapHost>();
  for (const id of [...ids].sort(byId)) {
    const { lans, things, signature } = parts.get(id) ?? noPart;
    const cables = within.get(id) ?? [];
    const key = `${id}:${signature}|${signatureOf(cables)}`;
    hosts.set(id, { id, name: `hosts/${id}`, lans, things, cables, signature: key });
  }
  const signature = [...hosts.values()].map((host) => host.signature).join("\n");
  return { hosts, cables: between, signature: `${signature}\n${signatureOf(between)}` };
}

const noPart: Part = partOf([]);

/** A host with its cables; of the hosts that these lead to nothing but that they are there. */
function narrowed(graph: MapGraph, only: string | undefined): MapGraph {
  if (only === undefined) return graph;
  const cables = graph.cables.filter((cable) => hostsOf(cable).includes(only));
  const kept = new Set([only, ...cables.flatMap(hostsOf)]);
  const hosts = new Map(
    [...graph.hosts]
      .filter(([id]) => kept.has(id))
      .map(([id, host]) => [id, id === only ? host : emptyHost(id)] as const),
  );
  const signature = [...hosts.values()].map((host) => host.signature).join("\n");
  return { hosts, cables, signature: `${signature}\n${signatureOf(cables)}` };
}

function emptyHost(id: string): MapHost {
  return { ...noPart, id, name: `hosts/${id}`, signature: id };
}

/** Ids of the hosts that the ends of a cable are on, each once, in their order. */
export function hostsOf(cable: MapThing): readonly string[] {
  return [...new Set(cable.ends.flatMap(({ into }) => hostOf(into) ?? []))];
}

function thingOf({ kind, map }: TuiKind & { readonly map: MapRole }, { name, resource }: Row): MapThing {
  return {
    name,
    kind,
    id: idOf(name),
    word: map.word ?? "",
    shape: map.shape,
    ends: map.endsOf(resource, name),
  };
}

function signatureOf(things: readonly MapThing[]): string {
  return things
    .map(({ name, ends }) => `${name}=${ends.map(({ word, into }) => `${word}>${into}`).join(",")}`)
    .join(";");
}

const collator = new Intl.Collator("en", { numeric: true });

/** "vm2" before "vm10". */
export function byId(left: string, right: string): number {
  return collator.compare(left, right) || (left < right ? -1 : left > right ? 1 : 0);
}

function hasRole(kind: TuiKind): kind is TuiKind & { readonly map: MapRole } {
  return kind.map !== undefined;
}
