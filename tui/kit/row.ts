import { hostOf, idOf } from "./resource-name.js";

/** One row of a table, of whatever kind: a resource as it was last heard, or a part of one. */
export interface Row<T extends object = object> {
  /** Singular of its kind. */
  readonly kind: string;
  /** Resource name; unique among the rows of its kind. */
  readonly name: string;
  /** Last segment of the name. */
  readonly id: string;
  /** Host segment of the name; empty for what belongs to the hub. */
  readonly host: string;
  readonly resource: T;
  /** Local time at which this version of the resource was received. */
  readonly receivedAtMs: number;
}

/** The row of a resource. */
export function toRow<T extends object>(kind: string, name: string, resource: T, receivedAtMs: number): Row<T> {
  return { kind, name, id: idOf(name), host: hostOf(name) ?? "", resource, receivedAtMs };
}

/** The labels of a resource; none for kinds that have none. */
export function labelsOf({ resource }: Pick<Row, "resource">): Readonly<Record<string, string>> {
  // Every resource that has a field of this name has labels in it.
  return "labels" in resource ? (resource.labels as Readonly<Record<string, string>>) : {};
}
