import type { Snapshot } from "../../../proto/gen/zor/v1/snapshot.js";

/** Id of a snapshot, indented by how deep it is in the tree of its instance. */
export function treeText(id: string, { status }: Snapshot): string {
  const depth = status?.depth ?? 0;
  return depth === 0 ? id : `${"  ".repeat(depth - 1)}└─${id}`;
}

/** Sorted by it, snapshots stand below their instances and below what they hang from. */
export function treeKey({ spec, status }: Snapshot): string {
  // "/" sorts after "-" and "."; nothing may come between a snapshot and those below it.
  return `${spec?.instance ?? ""}/${status?.path ?? ""}`.replaceAll("/", "\u0001");
}
