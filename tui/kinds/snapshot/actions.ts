import { type Snapshot, SnapshotState } from "../../../proto/gen/zor/v1/snapshot.js";
import { SnapshotServiceService } from "../../../proto/gen/zor/v1/snapshot_service.js";
import { type Action, deletes, deletesBy } from "../../kit/action.js";

/** What going back to a snapshot does. */
export function revertingTo({ spec }: Snapshot): string {
  const instance = spec?.instance ?? "";
  const how = spec?.memory === true ? "goes on where it was" : "is as after a power cut, and starts again if it runs";
  return `${instance} ${how}; what it is now is lost unless there is a snapshot of it`;
}

/** What can be asked of a snapshot. */
export const snapshotActions: readonly Action<Snapshot>[] = [
  {
    verb: "revert",
    keys: ["r"],
    title: "take the instance back to the snapshot",
    hint: "revert",
    dangerous: true,
    whyNot: ({ resource }) =>
      resource.status?.state === SnapshotState.SNAPSHOT_STATE_READY ? undefined : "is not whole yet",
    effect: ({ resource }) => revertingTo(resource),
    isDoneBy: (eventType) => eventType === "snapshot.reverted",
    run: async (_, { connection, request, options }) =>
      (await connection.unary(SnapshotServiceService.revertSnapshot, request, options)).operation,
  },
  {
    ...deletes,
    effect: ({ resource }) =>
      `one cannot go back to it any more; ${resource.spec?.instance ?? "its instance"} and its other snapshots stay as they are`,
    ...deletesBy(SnapshotServiceService.deleteSnapshot),
  },
];
