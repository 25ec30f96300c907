import type { WatchResponse } from "../../../proto/gen/zor/v1/watch_service.js";

/**
 * One step of a watch, in the order of the server's log: "reset" (forget everything), then "upsert" for each resource of
 * the snapshot, "snapshotEnd", then "upsert", "removed" and "bookmark" as things happen. Reconnecting is invisible here
 * unless the server cannot resume: then a "reset" begins again.
 */
export type FleetStep = NonNullable<WatchResponse["step"]>;
