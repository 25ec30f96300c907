import { WatchResponse, WatchServiceService } from "../../proto/gen/zor/v1/watch_service.js";

/** A change is told to its readers within a few turns of the loop: so many are encoded and not yet told to all. */
const recentLength = 256;
const recent = new Map<WatchResponse, Buffer>();

function encode(response: WatchResponse): Buffer {
  const known = recent.get(response);
  if (known !== undefined) return known;
  const encoded = Buffer.from(WatchResponse.encode(response).finish());
  const isChange = response.position?.epoch !== "" && response.step?.$case !== "bookmark";
  if (!isChange) return encoded;
  recent.set(response, encoded);
  for (const oldest of recent.keys()) {
    if (recent.size <= recentLength) break;
    recent.delete(oldest);
  }
  return encoded;
}

/** The definition of WatchService for servers: a change that many watch is encoded once, not for each of them. */
export const sharedWatchService = {
  ...WatchServiceService,
  watch: { ...WatchServiceService.watch, responseSerialize: encode },
} as const;
