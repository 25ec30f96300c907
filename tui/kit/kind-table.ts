import { allKinds, findKind, findKindBySingular } from "../../lib/kinds/kinds.js";
import { genericKind } from "./generic-kind.js";
import type { Log, Presence, TuiKind } from "./kind.js";
import type { Row } from "./row.js";

/**
 * The kinds of a terminal program, found by singular, by word and by the names of their resources: those that have something of
 * their own to say, then all others of the API, which are shown by what all resources have.
 */
export class KindTable {
  /** Kinds that have a table, in the order in which they are offered. */
  readonly all: readonly TuiKind[];
  /** The kind that others live on. */
  readonly presence: (TuiKind & { readonly presence: Presence }) | undefined;
  /** The kind that tells what happened to others. */
  readonly log: (TuiKind & { readonly log: Log }) | undefined;
  readonly #byKind: ReadonlyMap<string, TuiKind>;

  /** To be made after all kinds were added to those of the process. */
  constructor(known: readonly TuiKind[]) {
    const others = allKinds().filter(({ singular }) => !known.some(({ kind }) => kind === singular));
    this.all = [...known, ...others.map(genericKind)];
    this.presence = this.all.find((kind) => hasPresence(kind));
    this.log = this.all.find((kind) => hasLog(kind));
    const parts = this.all.flatMap((kind) => kind.parts ?? []).map(({ kind }) => kind);
    this.#byKind = new Map([...this.all, ...parts].map((kind) => [kind.kind, kind]));
  }

  /** The kind of that singular. */
  find(kind: string): TuiKind | undefined {
    return this.#byKind.get(kind);
  }

  /** The kind of that singular. @throws {Error} when there is none. */
  get(kind: string): TuiKind {
    const found = this.find(kind);
    if (found === undefined) throw new Error(`there is no kind "${kind}"`);
    return found;
  }

  /** The kind that a word of the command line means. */
  findByWord(word: string): TuiKind | undefined {
    const singular = findKind(word)?.singular;
    return this.all.find(({ kind, words = [] }) => kind === singular || words.includes(word));
  }

  /** The kind a resource name belongs to; undefined when it is none of them. */
  findByName(name: string): TuiKind | undefined {
    const parts = name.split("/");
    const onHost = parts[0] === "hosts" && parts.length > 2;
    return this.all.find((kind) => pluralOf(kind) === (onHost ? parts[2] : parts[0]));
  }
}

/** Collection segment of a kind's names, and title of its table. */
export function pluralOf({ kind, plural }: TuiKind): string {
  return plural ?? findKindBySingular(kind)?.plural ?? kind;
}

/** Ids of the hosts a row belongs to. */
export function hostsOf(kind: TuiKind, row: Row): readonly string[] {
  return kind.hostsOf?.(row) ?? [row.host];
}

function hasPresence(kind: TuiKind): kind is TuiKind & { readonly presence: Presence } {
  return kind.presence !== undefined;
}

function hasLog(kind: TuiKind): kind is TuiKind & { readonly log: Log } {
  return kind.log !== undefined;
}
