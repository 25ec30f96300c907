import { SnapshotState } from "../../../proto/gen/zor/v1/snapshot.js";
import { stateStyles } from "../../kit/states.js";

/** How the state of a snapshot is shown. */
export const snapshotStyle = stateStyles(
  new Map([
    [SnapshotState.SNAPSHOT_STATE_CREATING, { symbol: "◐", word: "creating", tone: "busy" }],
    [SnapshotState.SNAPSHOT_STATE_READY, { symbol: "●", word: "ready", tone: "good" }],
  ]),
);
