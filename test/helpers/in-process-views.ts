import type { Server } from "@grpc/grpc-js";
import { Views } from "../../hub/views/views.js";
import { authorize } from "../../lib/auth/policy.js";
import { type Handlers, implementService } from "../../lib/grpc/service.js";
import type { WatchLog } from "../../lib/watch/watch-log.js";
import { Role } from "../../proto/gen/zor/v1/token_service.js";
import { ViewServiceService } from "../../proto/gen/zor/v1/view_service.js";
import { WatchServiceService } from "../../proto/gen/zor/v1/watch_service.js";

/** Has a server show a log as a hub does, as changes and as windows over queries; until the views are closed. */
export function addViews(server: Server, log: WatchLog): Views {
  const shown = new Views({ log });
  const watches: Handlers<typeof WatchServiceService> = { watch: (request, { signal }) => log.watch(request, signal) };
  const views: Handlers<typeof ViewServiceService> = {
    watchView: (request, { signal }) =>
      shown.watch(request, { caller: "zor://user/test", role: Role.ROLE_VIEWER, signal }),
  };
  server.addService(WatchServiceService, implementService(WatchServiceService, watches, { authorize }));
  server.addService(ViewServiceService, implementService(ViewServiceService, views, { authorize }));
  return shown;
}
