import { HostState } from "../../proto/gen/zor/v1/host.js";
import type { Change, Store } from "../store/store.js";
import { nothingRefused, type SessionView } from "./host-record.js";

const key = "last-seen";

/** The change that stores when each host was last heard, so that a restarted hub does not call an old acquaintance "never seen". */
export function putLastSeen(lastSeen: ReadonlyMap<string, Date>): Change {
  const value = JSON.stringify(Object.fromEntries([...lastSeen].map(([host, time]) => [host, time.toISOString()])));
  return { type: "put", collection: "meta", key, value: Buffer.from(value) };
}

/** What an earlier run of the hub knew of the sessions with its hosts, by host id. */
export async function loadLastSeen(store: Store): Promise<ReadonlyMap<string, SessionView>> {
  const stored = await store.get("meta", key);
  if (stored === undefined) return new Map();
  // Only this module writes this record.
  const times = JSON.parse(Buffer.from(stored.value).toString("utf8")) as Record<string, string>;
  return new Map(
    Object.entries(times).map(([host, time]) => [
      host,
      {
        state: HostState.HOST_STATE_CONNECTING,
        reason: "",
        lastSeen: new Date(time),
        rttMs: undefined,
        reported: undefined,
        refused: nothingRefused,
      },
    ]),
  );
}
