import { status } from "@grpc/grpc-js";
import { ZorError } from "../../../lib/errors.js";
import type { Handlers } from "../../../lib/grpc/service.js";
import { listPage } from "../../../lib/list/list.js";
import type { Host } from "../../../proto/gen/zor/v1/host.js";
import type { HostServiceService } from "../../../proto/gen/zor/v1/host_service.js";
import type { HostScope } from "../../kit/host-scope.js";

/** The host service of an agent: it shows its own host and registers none. */
export function hostService(options: {
  readonly scope: HostScope;
  readonly readHost: () => Host;
}): Handlers<typeof HostServiceService> {
  const { scope, readHost } = options;
  return {
    getHost: async ({ name }) => {
      scope.parseSelf("name", name);
      return { host: readHost() };
    },
    listHosts: async (request) => {
      const page = listPage([readHost()], request, "zor.v1.Host");
      return { hosts: page.items, nextPageToken: page.nextPageToken, totalSize: page.totalSize, unreachable: [] };
    },
    createHost: async () => {
      throw hubOnly("registers");
    },
    updateHost: async () => {
      throw hubOnly("changes");
    },
    deleteHost: async () => {
      throw hubOnly("forgets");
    },
  };
}

function hubOnly(verb: string): ZorError {
  return new ZorError({
    reason: "HUB_ONLY",
    code: status.UNIMPLEMENTED,
    message: `an agent ${verb} no hosts; ask the hub`,
  });
}
