import { globSync, readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { findRule, kindNamed, ruledMethods } from "../../../lib/kinds/kinds.js";
import { kindsWith } from "../../../tui/cli/kinds.js";
import { commandTree, wordsOf } from "./command-tree.js";

/** The commands with which people call what is not done to resources of every kind. */
const commands: Readonly<Record<string, string>> = {
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

/** Services without commands, and why. */
const exceptions: Readonly<Record<string, string>> = {
  "zor.agent.v1": "hubs and agents speak it with each other; people have no certificate for it",
};

/** Methods that are done to resources of every kind: the command that does them. */
const standard: Readonly<Record<string, string>> = {
  create: "create",
  get: "describe",
  list: "get",
  update: "set",
  delete: "delete",
};

let tree: ReadonlySet<string>;
let sources: string;
beforeAll(async () => {
  tree = new Set((await commandTree()).map(wordsOf));
  sources = globSync("tui/**/*.ts")
    .map((file) => readFileSync(file, "utf8"))
    .join("\n");
}, 300_000);

const methods = ruledMethods().map((path) => {
  const [, service = "", method = ""] = path.split("/");
  return { path, method, service, packageName: service.slice(0, service.lastIndexOf(".")), rule: findRule(path) };
});

describe("every method of the API", () => {
  it.each(methods.filter(({ packageName }) => exceptions[packageName] === undefined))(
    "$path has a command",
    ({ path, method, rule }) => {
      const verb = rule?.verb ?? "custom";
      if (verb === "custom") {
        const command = commands[path.replace(/^\/zor\.v1\./, "")];
        expect(command, "a command in the table of this test").toBeDefined();
        expect(tree).toContain(command);
        expect(sources).toMatch(new RegExp(`\\.${method.charAt(0).toLowerCase()}${method.slice(1)}\\b`));
        return;
      }
      expect(tree).toContain(standard[verb]);
      expect(kindsWith(verb)).toContain(kindNamed(rule?.kind ?? ""));
      if (verb === "create" || verb === "update") expect(tree).toContain(`${standard[verb]} ${rule?.kind}`);
    },
  );

  it("of the table and of the exceptions is there", () => {
    const paths = new Set(methods.map(({ path }) => path));
    expect(Object.keys(commands).filter((path) => !paths.has(`/zor.v1.${path}`))).toEqual([]);
    const packages = new Set(methods.map(({ packageName }) => packageName));
    expect(Object.keys(exceptions).filter((name) => !packages.has(name))).toEqual([]);
  });
});
