import type { Snapshot } from "../../../proto/gen/zor/v1/snapshot.js";
import type { CellContext } from "../../kit/fleet/fleet-view.js";
import type { Fleet } from "../../kit/fleet/fleet.js";
import { formatBytes } from "../../kit/format.js";
import { hostOf, idOf, shortName } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";
import { ageText } from "../../kit/table/columns.js";
import { plainText } from "../../kit/text/plain-text.js";
import type { Segment } from "../../kit/text/segment.js";
import type { TreeNode } from "../../kit/tree/node.js";
import { rowNode } from "../../kit/tree/row-node.js";
import type { TreeSource } from "../tree/tree-screen.js";

/** Kinds from whose rows the tree of an instance can be opened. */
export const kindsWithSnapshots: ReadonlySet<string> = new Set(["instance", "snapshot"]);

/** The snapshots of an instance: which hangs from which, and which one it is at now. */
export class SnapshotTree implements TreeSource {
  /** Full name of the instance. */
  readonly instance: string;
  readonly empty = "the instance is gone";
  readonly #fleet: Fleet;

  constructor(fleet: Fleet, instance: string) {
    this.#fleet = fleet;
    this.instance = instance;
  }

  title(): string {
    return `snapshots of ${shortName(this.instance)}`;
  }

  makes(): { readonly kind: string; readonly of: Row | undefined } {
    return { kind: "snapshot", of: this.#fleet.find("instance", this.instance) };
  }

  roots(context: CellContext): readonly TreeNode[] {
    const row = this.#fleet.find("instance", this.instance);
    if (row === undefined) return [];
    const all = this.#snapshots();
    const size = all.reduce((sum, { resource }) => sum + (resource.status?.sizeBytes ?? 0n), 0n);
    const text = all.length === 0 ? "no snapshots; n takes one" : `${all.length}, ${formatBytes(size)}`;
    const facts: Segment[] = [{ text: `  ${text}`, tone: "dim" }];
    const below = belowOf(all);
    const now = all.some(({ resource }) => resource.status?.current === true) ? [] : [this.#nowNode(row, "", context)];
    const children = (): readonly TreeNode[] => [...this.#nodes("", below, context), ...now];
    return [rowNode(this.#fleet, row, { key: this.instance, context, facts, children, isOpenAtFirst: true })];
  }

  #snapshots(): readonly Row<Snapshot>[] {
    const [host = "", id] = [hostOf(this.instance), idOf(this.instance)];
    return (
      [...this.#fleet.table("snapshot").namesOn(host)]
        .flatMap((name) => this.#fleet.find("snapshot", name) ?? [])
        // Rows of this kind hold snapshots.
        .map((row) => row as Row<Snapshot>)
        .filter(({ resource }) => resource.spec?.instance === id)
        .sort((left, right) => timeOf(left) - timeOf(right))
    );
  }

  #nodes(
    parent: string,
    below: ReadonlyMap<string, readonly Row<Snapshot>[]>,
    context: CellContext,
  ): readonly TreeNode[] {
    return (below.get(parent) ?? []).map((row) => {
      const isCurrent = row.resource.status?.current === true;
      const instance = this.#fleet.find("instance", this.instance);
      const children = (): readonly TreeNode[] => [
        ...this.#nodes(row.id, below, context),
        ...(isCurrent && instance !== undefined ? [this.#nowNode(instance, row.name, context)] : []),
      ];
      const isLeaf = !isCurrent && !below.has(row.id);
      return rowNode(this.#fleet, row, {
        ...{ key: row.name, context, facts: factsOf(row, context), isOpenAtFirst: true },
        ...(isLeaf ? {} : { children }),
      });
    });
  }

  /** What the instance is now, below the snapshot that it descends from. */
  #nowNode(row: Row, above: string, context: CellContext): TreeNode {
    const { line, ...rest } = rowNode(this.#fleet, row, { key: `${above} now`, context });
    return { ...rest, line: [{ text: "you are here: ", tone: "accent" }, ...line] };
  }
}

/** By the snapshot that they hang from; those whose parent is gone hang from the root. */
function belowOf(all: readonly Row<Snapshot>[]): ReadonlyMap<string, readonly Row<Snapshot>[]> {
  const ids = new Set(all.map(({ id }) => id));
  const below = new Map<string, Row<Snapshot>[]>();
  for (const row of all) {
    const parent = row.resource.spec?.parent ?? "";
    // One that would hang from itself was never sent by an agent; it must not hang this program.
    const key = ids.has(parent) && !hangsFromItself(row, all) ? parent : "";
    below.set(key, [...(below.get(key) ?? []), row]);
  }
  return below;
}

function hangsFromItself(row: Row<Snapshot>, all: readonly Row<Snapshot>[]): boolean {
  const parents = new Map(all.map(({ id, resource }) => [id, resource.spec?.parent ?? ""]));
  let at = parents.get(row.id);
  for (let steps = 0; steps <= all.length; steps += 1) {
    if (at === undefined || at === "") return false;
    if (at === row.id) return true;
    at = parents.get(at);
  }
  return true;
}

function factsOf({ resource }: Row<Snapshot>, context: CellContext): readonly Segment[] {
  const { spec, status, createTime } = resource;
  const keeps = spec?.memory === true ? "with memory" : status?.consistent === false ? "disks, not frozen" : "disks";
  const age = `${ageText(status?.snapshotTime ?? createTime, context)} ago`;
  const facts = [
    age,
    formatBytes(status?.sizeBytes ?? 0n),
    keeps,
    spec?.schedule === "" ? "" : `by ${spec?.schedule ?? ""}`,
  ];
  return [
    ...(status?.current === true ? [{ text: " ◂ now", tone: "accent" } as const] : []),
    { text: `  ${facts.filter((text) => text !== "").join("  ")}`, tone: "dim" },
    { text: spec?.description ? `  ${plainText(spec.description)}` : "" },
  ];
}

function timeOf({ resource }: Row<Snapshot>): number {
  return (resource.status?.snapshotTime ?? resource.createTime)?.getTime() ?? 0;
}

/** Name of the instance whose snapshots a row is of. */
export function instanceOf(row: Row): string {
  if (row.kind === "instance") return row.name;
  // Rows of this kind hold snapshots.
  return `hosts/${row.host}/instances/${(row.resource as Snapshot).spec?.instance ?? ""}`;
}
