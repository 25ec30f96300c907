import type { Backup } from "../../../proto/gen/zor/v1/backup.js";
import { BackupServiceService } from "../../../proto/gen/zor/v1/backup_service.js";
import { ScheduleAction } from "../../../proto/gen/zor/v1/schedule.js";
import type { KindModule, KindPart } from "../../kit/context.js";
import { serve } from "../../kit/serve.js";
import { standardMethods } from "../../kit/standard-methods.js";
import type { AgentContext } from "../../parts.js";
import { Backups } from "./backups.js";

/** Backups, for the list of kinds. */
export const backupKind: KindModule<AgentContext> = { kind: "backup", open };

async function open(context: AgentContext): Promise<KindPart> {
  const backups = new Backups(context);
  await backups.restoreAll();
  context.schedules.add(ScheduleAction.SCHEDULE_ACTION_BACKUP, backups.taker);
  return {
    methods: [
      ...standardMethods<Backup>("backup", backups, context.scope),
      serve(BackupServiceService, {
        restoreBackup: async (request, { caller }) => ({ operation: await backups.restore(request, caller.identity) }),
      }),
    ],
    source: backups.source,
  };
}
