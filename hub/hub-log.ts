import { failedPrecondition } from "../lib/errors.js";
import type { Handlers } from "../lib/grpc/service.js";
import type { KeptLog } from "../lib/logs/kept-log.js";
import { checkQuery, streamLog } from "../lib/logs/stream-log.js";
import type { HubLogServiceService } from "../proto/gen/zor/v1/log_service.js";

/** Has the hub's own log read. @param keptLog undefined: it keeps none. */
export function hubLogHandlers(keptLog: KeptLog | undefined): Handlers<typeof HubLogServiceService> {
  return {
    readHubLog: async function* ({ query: asked }, { signal }) {
      const query = checkQuery(asked);
      if (keptLog === undefined) throw failedPrecondition("NO_LOG", "", "this hub keeps no log");
      for await (const piece of streamLog(await keptLog.open(query), query, signal)) yield { piece };
    },
  };
}
