import { status } from "@grpc/grpc-js";
import { ZorError } from "../../../lib/errors.js";
import { BackupTransferServiceService } from "../../../proto/gen/zor/agent/v1/backup_transfer_service.js";
import { InstanceTransferServiceService } from "../../../proto/gen/zor/agent/v1/instance_transfer_service.js";
import type { Backup } from "../../../proto/gen/zor/v1/backup.js";
import { BackupServiceService } from "../../../proto/gen/zor/v1/backup_service.js";
import { ScheduleAction } from "../../../proto/gen/zor/v1/schedule.js";
import type { KindModule, KindPart } from "../../kit/context.js";
import { serve } from "../../kit/serve.js";
import { standardMethods } from "../../kit/standard-methods.js";
import type { AgentContext } from "../../parts.js";
import { Backups } from "./backups.js";
import { InstanceTransfers } from "./instance-transfer.js";
import { transferService } from "./transfer-service.js";

/** Backups, for the list of kinds. */
export const backupKind: KindModule<AgentContext> = { kind: "backup", open };

async function open(context: AgentContext): Promise<KindPart> {
  const backups = new Backups(context);
  await backups.restoreAll();
  const transfers = new InstanceTransfers(context);
  await transfers.clear();
  context.schedules.add(ScheduleAction.SCHEDULE_ACTION_BACKUP, backups.taker);
  return {
    methods: [
      ...standardMethods<Backup>("backup", backups, context.scope),
      serve(BackupTransferServiceService, transferService(backups)),
      serve(InstanceTransferServiceService, transfers.handlers),
      serve(BackupServiceService, {
        copyBackup: async () => {
          throw new ZorError({
            reason: "HUB_ONLY",
            code: status.UNIMPLEMENTED,
            message: "an agent knows no other hosts; ask the hub to copy a backup",
          });
        },
        restoreBackup: async (request, { caller }) => ({
          operation: await backups.restores.restore(request, caller.identity),
        }),
      }),
    ],
    source: backups.source,
  };
}
