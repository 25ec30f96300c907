import { findRule, kindNamed, ruledMethods } from "../../lib/kinds/kinds.js";

/** The commands with which people call what is not done to resources of every kind: by service and method, words behind "zor". */
const own: Readonly<Record<string, string>> = {
  "BackupService/CopyBackup": "backup copy",
  "BackupService/RestoreBackup": "backup restore",
  "CaptureService/Capture": "capture",
  "CaptureService/ReadClock": "capture",
  "CaptureService/StopCapture": "capture",
  "ConsoleService/AttachConsole": "console",
  "DiskService/ReadDisk": "disk cat",
  "DiskService/WriteDisk": "disk cp",
  "EventService/ListEvents": "events",
  "EventService/ReadEvents": "events",
  "ExecService/Exec": "exec",
  "FiguresService/ReadHistory": "history",
  "FiguresService/WatchFigures": "top",
  "ForwardService/Connect": "port-forward",
  "HookService/DropDeadLetters": "hooks drop",
  "HookService/ListDeadLetters": "hooks dead",
  "HookService/ListHooks": "hooks list",
  "HookService/RetryDeadLetters": "hooks retry",
  "HostLogService/ReadHostLog": "logs",
  "HubLogService/ReadHubLog": "logs",
  "ImageService/AbortImport": "image import",
  "ImageService/BuildImage": "image build",
  "ImageService/ExportImage": "image export",
  "ImageService/ImportImage": "image import",
  "ImageService/PruneImages": "image prune",
  "ImageService/PushImage": "image push",
  "ImageService/VerifyImage": "image verify",
  "InstanceCopyService/CloneInstance": "clone",
  "InstanceCopyService/SaveInstance": "save",
  "InstanceLogService/ReadInstanceLog": "logs",
  "InstanceService/AdoptInstance": "adopt",
  "InstanceService/ChangeMedium": "cdrom",
  "InstanceService/PauseInstance": "pause",
  "InstanceService/ResetInstance": "reset",
  "InstanceService/ResumeInstance": "resume",
  "InstanceService/SendKeys": "send-key",
  "InstanceService/ShutdownInstance": "shutdown",
  "InstanceService/StartInstance": "start",
  "InstanceService/StopInstance": "stop",
  "InstanceService/SuspendInstance": "suspend",
  "JoinService/Join": "join",
  "LanService/AttachLan": "attach",
  "LanService/DetachLan": "detach",
  "LanService/GetLanFilters": "lan filters",
  "LanService/GetLanFlows": "lan flows",
  "LanService/GetLanMacs": "lan macs",
  "LinkService/DiagnoseLink": "doctor link",
  "OperationService/CancelOperation": "cancel",
  "OperationService/WaitOperation": "cancel",
  "OvsService/QueryOvs": "ovs",
  "OvsService/RunOvs": "ovs",
  "PhyService/ConfirmPhy": "confirm",
  "RenewService/Renew": "context renew",
  "ScreenService/CaptureScreen": "view",
  "SessionService/EndSession": "session end",
  "ShellService/OpenShell": "shell",
  "SnapshotService/RevertSnapshot": "snapshot revert",
  "StatisticsService/ReadStatistics": "stats",
  "TokenService/CreateToken": "token create",
  "TokenService/RevokeIdentity": "token revoke",
  "VersionService/GetVersion": "version",
  "ViewService/WatchView": "query",
  "VolumeService/MoveVolume": "volume move",
  "WatchService/Watch": "get",
  "WaveService/GetWave": "wave show",
  "WaveService/PauseWave": "wave pause",
  "WaveService/ResumeWave": "wave resume",
  "WaveService/StartWave": "wave run",
  "WaveService/WatchWave": "wave show",
};

/** Methods that are done to resources of every kind: the command that does them. */
const standard: Readonly<Record<string, string>> = {
  create: "create",
  get: "describe",
  list: "get",
  update: "set",
  delete: "delete",
};

/** Methods that the table names, whether or not the API has them. */
export const namedMethods: readonly string[] = Object.keys(own).map((path) => `/zor.v1.${path}`);

/**
 * Words of the command that calls a method of the API: "wave run", "create link", "get links". Undefined where none does.
 * @param path "/zor.v1.LinkService/CreateLink".
 */
export function commandOf(path: string): string | undefined {
  const rule = findRule(path);
  const verb = rule === undefined ? undefined : standard[rule.verb];
  if (verb === undefined) return own[path.replace(/^\/zor\.v1\./, "")];
  const kind = kindNamed(rule?.kind ?? "");
  return `${verb} ${rule?.verb === "list" ? kind.plural : kind.singular}`;
}

/** Every method that people may call, with its command. */
export function methodCommands(): readonly (readonly [path: string, command: string])[] {
  return ruledMethods()
    .flatMap((path) => {
      const command = commandOf(path);
      return command === undefined ? [] : [[path, command] as const];
    })
    .sort(([one], [other]) => (one < other ? -1 : 1));
}
