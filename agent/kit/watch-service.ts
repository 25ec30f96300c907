import type { Handlers } from "../../lib/grpc/service.js";
import type { WatchLog } from "../../lib/watch/watch-log.js";
import type { WatchServiceService } from "../../proto/gen/zor/v1/watch_service.js";

/** The watch service: the agent's resources and their changes. */
export function watchService(log: WatchLog): Handlers<typeof WatchServiceService> {
  return { watch: (request, context) => log.frames(request, context.signal) };
}
