import { notFound } from "../../lib/errors.js";
import type { ResourceTypes } from "../../lib/kinds/codecs.js";
import { kindNamed } from "../../lib/kinds/kinds.js";
import type { NamedMessage } from "../../lib/kinds/codecs.js";
import type { Reference } from "./kind.js";

/** A reference with who refers. */
export interface Use extends Reference {
  readonly from: string;
}

/** The resources of one kind, as others may know them. */
export interface ResourceSource {
  /** Whether it is there, and nobody is about to delete it. */
  has(id: string): boolean;
  find(id: string): NamedMessage | undefined;
  list(): readonly NamedMessage[];
  /** What all of them refer to, with those that are just being made. */
  uses(): Iterable<Use>;
}

/** What the resources of a host have to do with each other: kinds know each other only through this. */
export class References {
  readonly #host: string;
  readonly #sources = new Map<string, ResourceSource>();

  constructor(host: string) {
    this.#host = host;
  }

  /** Makes the resources of a kind known. @param kind singular. */
  add(kind: string, source: ResourceSource): void {
    this.#sources.set(kind, source);
  }

  /** Whether a resource is there, and nobody is about to delete it. */
  has(kind: string, id: string): boolean {
    return this.#sources.get(kind)?.has(id) === true;
  }

  /** A resource as it is now. */
  find<K extends keyof ResourceTypes>(kind: K, id: string): ResourceTypes[K] | undefined;
  find(kind: string, id: string): NamedMessage | undefined;
  find(kind: string, id: string): NamedMessage | undefined {
    return this.#sources.get(kind)?.find(id);
  }

  /** All resources of a kind; none when this host has no such kind. */
  list<K extends keyof ResourceTypes>(kind: K): readonly ResourceTypes[K][];
  list(kind: string): readonly NamedMessage[];
  list(kind: string): readonly NamedMessage[] {
    return this.#sources.get(kind)?.list() ?? [];
  }

  /** @throws {ZorError} NOT_FOUND for the first that refers to nothing. */
  assertThere(references: readonly Reference[]): void {
    const missing = references.find(({ kind, id }) => !this.has(kind, id));
    if (missing !== undefined) throw notFound(this.nameOf(missing.kind, missing.id), missing.remedy);
  }

  /** Names of what refers to a resource. */
  usersOf(kind: string, id: string): readonly string[] {
    const uses = [...this.#sources.values()].flatMap((source) => [...source.uses()]);
    return [...new Set(uses.filter((use) => use.kind === kind && use.id === id).map(({ from }) => from))];
  }

  /** Resource name of something of this host. */
  nameOf(kind: string, id: string): string {
    return `hosts/${this.#host}/${kindNamed(kind).plural}/${id}`;
  }
}
