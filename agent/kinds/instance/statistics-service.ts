import type { Handlers } from "../../../lib/grpc/service.js";
import type { StatisticsServiceService } from "../../../proto/gen/zor/v1/statistics_service.js";
import type { HostScope } from "../../kit/host-scope.js";
import type { InstanceManager } from "./manager.js";

/** What the statistics service works with. */
export interface StatisticsServiceOptions {
  readonly scope: HostScope;
  readonly manager: InstanceManager;
}

/** The statistics service of this host. */
export function statisticsService({
  scope,
  manager,
}: StatisticsServiceOptions): Handlers<typeof StatisticsServiceService> {
  return {
    readStatistics: async ({ name }, { signal }) => {
      const reached = manager.reach(scope.parse("instance", "name", name));
      return { statistics: await reached.readStatistics({ signal }) };
    },
  };
}
