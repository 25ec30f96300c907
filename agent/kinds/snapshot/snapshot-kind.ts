import { SnapshotServiceService } from "../../../proto/gen/zor/v1/snapshot_service.js";
import { ScheduleAction } from "../../../proto/gen/zor/v1/schedule.js";
import type { KindModule, KindPart } from "../../kit/context.js";
import { serve } from "../../kit/serve.js";
import { standardMethods } from "../../kit/standard-methods.js";
import type { Snapshot } from "../../../proto/gen/zor/v1/snapshot.js";
import type { AgentContext } from "../../parts.js";
import { Snapshots } from "./snapshots.js";

/** Snapshots, for the list of kinds. */
export const snapshotKind: KindModule<AgentContext> = { kind: "snapshot", open };

async function open(context: AgentContext): Promise<KindPart> {
  const { scope } = context;
  const snapshots = new Snapshots(context);
  await snapshots.restore();
  context.schedules.add(ScheduleAction.SCHEDULE_ACTION_SNAPSHOT, snapshots.taker);
  return {
    methods: [
      ...standardMethods<Snapshot>("snapshot", snapshots, scope),
      serve(SnapshotServiceService, {
        revertSnapshot: async ({ name, requestId, validateOnly }, { caller }) => {
          const id = scope.parse("snapshot", "name", name);
          const operation = await snapshots.revert(id, { requestId, validateOnly, caller: caller.identity });
          return { operation };
        },
      }),
    ],
    source: snapshots.source,
  };
}
