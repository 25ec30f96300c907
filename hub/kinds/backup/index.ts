import { BackupServiceService as service } from "../../../proto/gen/zor/v1/backup_service.js";
import { handlersOf } from "../../kit/handlers.js";
import type { HubKind } from "../../kit/hub-kind.js";
import { BackupCopies } from "./copies.js";

/** Backups live on hosts. The hub copies them from one to another. */
export const backupKind: HubKind = {
  kind: "backup",
  create: (parts) => {
    const copies = new BackupCopies(parts);
    parts.operations.addWork("backup", copies);
    return { handlers: handlersOf(service, { copyBackup: (request, context) => copies.copy(request, context) }) };
  },
};
