import { kindNamed } from "../../../lib/kinds/kinds.js";
import { parseId } from "../../../lib/names.js";
import {
  BackupServiceService,
  CopyBackupRequest,
  CreateBackupRequest,
  RestoreBackupRequest,
} from "../../../proto/gen/zor/v1/backup_service.js";
import type { Operation } from "../../../proto/gen/zor/v1/operation.js";
import { parseWhole } from "../../kit/input/key-values.js";
import { idOf, shortName } from "../../kit/resource-name.js";
import { escapeText } from "../../kit/text/escape.js";
import {
  dryRunOption,
  noWaitOption,
  type Registrar,
  ResourceArgument,
  responseOutput,
  waitOption,
  withExamples,
  yesOption,
} from "../command.js";
import { confirm } from "../confirm.js";
import { defineKindList } from "../noun-list.js";
import { resolveName } from "../resolve.js";
import type { OutputFormat, Session } from "../session.js";

interface BackupOptions {
  readonly output: OutputFormat;
  readonly host?: string;
  readonly dryRun?: boolean;
  readonly wait: boolean;
  readonly rate?: string;
  readonly incremental?: boolean;
  readonly to?: string;
  readonly message?: string;
  readonly as?: string;
  readonly toHost?: string;
  readonly replace?: boolean;
  readonly force?: boolean;
  readonly yes?: boolean;
  readonly start: boolean;
}

const bytesPerMib = 1024 * 1024;

/** `zor backup list|create|restore`. */
export function define({ program, open }: Registrar): void {
  const backup = program
    .command("backup")
    .description("Keep what machines hold outside of them, and make machines of it.")
    .helpCommand(false);
  defineKindList(backup, open, "spec.instance = vm1");
  const create = backup
    .command("create")
    .description(
      "Back up the persistent disks of a machine, running or not, into a directory that the agent's settings allow.",
    )
    .addArgument(new ResourceArgument("<instance>", "the machine", "instance"))
    .argument("<name>", "the backup's name, without its machine's")
    .option("--incremental", "only what was written since the newest one")
    .option("--to <directory>", "one of the agent's backupDirs (default: the first)")
    .option("--to-host <host>", "and copy it to another host then; what it builds on goes along")
    .option("-m, --message <text>", "what is to be said of it")
    .option("--host <host>", "the host of a name without one")
    .option("--rate <mib>", "most MiB a second; default: as fast as it goes")
    .addOption(waitOption())
    .addOption(noWaitOption())
    .addOption(dryRunOption())
    .addOption(responseOutput())
    .action(async (text: string, word: string, options: BackupOptions) => {
      const session = open(create);
      const instance = await resolveName(session, kindNamed("instance"), text, options.host);
      const parent = instance.split("/").slice(0, 2).join("/");
      const backupId = parseId("name", `${idOf(instance)}.${word}`);
      const method = BackupServiceService.createBackup;
      const spec = {
        instance: idOf(instance),
        incremental: options.incremental === true,
        target: options.to ?? "",
        description: options.message ?? "",
        bytesPerSecond: rateOf(options),
      };
      const validateOnly = options.dryRun === true;
      const request = { parent, backupId, backup: { spec }, requestId: session.requestId(), validateOnly };
      const { operation } = await session.call(method, CreateBackupRequest.fromPartial(request));
      const name = shortName(`${parent}/backups/${backupId}`);
      const follows = options.wait && !validateOnly;
      const ended = follows ? await session.follow(operation, `backing up ${shortName(instance)}`) : operation;
      if (options.toHost !== undefined && follows)
        await copyTo(session, `${parent}/backups/${backupId}`, options.toHost, { ...options, part: 1 });
      const copied = options.toHost !== undefined && follows ? ` and copied to ${options.toHost}` : "";
      await session.printResponse(options.output, method, { operation: ended }, () => {
        if (options.output === "name") return escapeText(`${parent}/backups/${backupId}`);
        return escapeText(
          `backup ${name} ${validateOnly ? "could be taken" : follows ? `taken${copied}` : "taken on"}`,
        );
      });
    });
  create.options.find(({ long }) => long === "--to-host")?.conflicts("wait");
  withExamples(
    create,
    "zor backup create alpha/vm1 monday",
    "zor backup create alpha/vm1 tuesday --incremental --rate 100",
  );
  const copy = backup
    .command("copy")
    .description(
      "Copy a backup to another host, with those that it builds on; it is verified there, and can be restored there.",
    )
    .addArgument(new ResourceArgument("<backup>", "the backup", "backup"))
    .addArgument(new ResourceArgument("<target>", "where to", "host"))
    .option("--host <host>", "the host of a name without one")
    .option("--rate <mib>", "most MiB a second; default: as fast as it goes")
    .addOption(waitOption())
    .addOption(noWaitOption())
    .addOption(dryRunOption())
    .addOption(responseOutput())
    .action(async (text: string, target: string, options: BackupOptions) => {
      const session = open(copy);
      const name = await resolveName(session, kindNamed("backup"), text, options.host);
      const operation = await copyTo(session, name, target, options);
      const outcome = options.dryRun === true ? "could be copied" : options.wait ? "copied" : "is being copied";
      await session.printResponse(options.output, BackupServiceService.copyBackup, { operation }, () =>
        escapeText(options.output === "name" ? name : `backup ${shortName(name)} ${outcome} to ${target}`),
      );
    });
  withExamples(copy, "zor backup copy alpha/vm1.monday beta", "zor backup restore beta/vm1.monday --as vm1");
  const restore = backup
    .command("restore")
    .description("Make a machine that holds what a backup holds. Its files are verified first.")
    .addArgument(new ResourceArgument("<backup>", "the backup", "backup"))
    .option("--as <name>", "name of the machine (default: as it was called, where there is none of that name)")
    .option("--replace", "have the machine that is there hold it again; its disks are kept until those are durable")
    .option("--force", "with --replace: end the machine when it runs")
    .addOption(yesOption("with --replace: do not ask"))
    .option("--no-start", "leave it stopped")
    .option("--host <host>", "the host of a name without one")
    .option("--rate <mib>", "most MiB a second; default: as fast as it goes")
    .addOption(waitOption())
    .addOption(noWaitOption())
    .addOption(dryRunOption())
    .addOption(responseOutput())
    .action(async (text: string, options: BackupOptions) => {
      const session = open(restore);
      const name = await resolveName(session, kindNamed("backup"), text, options.host);
      const method = BackupServiceService.restoreBackup;
      const validateOnly = options.dryRun === true;
      const plan = [escapeText(`what the machine of ${shortName(name)} holds now will be lost`)];
      if (options.replace === true && !(await confirm(session, plan, "Restore?", options))) return;
      const request = RestoreBackupRequest.fromPartial({
        ...{ name, replace: options.replace === true, force: options.force === true },
        instanceId: options.as === undefined ? "" : parseId("--as", options.as),
        leaveStopped: !options.start,
        bytesPerSecond: rateOf(options),
        requestId: session.requestId(),
        validateOnly,
      });
      const { operation } = await session.call(method, request);
      const follows = options.wait && !validateOnly;
      const ended = follows ? await session.follow(operation, `restoring ${shortName(name)}`) : operation;
      const target = operation?.target ?? "";
      await session.printResponse(options.output, method, { operation: ended }, () => {
        if (options.output === "name") return escapeText(target);
        const outcome = validateOnly ? "could be restored" : follows ? "restored" : "taken on";
        return escapeText(`${shortName(target)} ${outcome} from ${shortName(name)}`);
      });
    });
  withExamples(
    restore,
    "zor backup restore alpha/vm1.tuesday",
    "zor backup restore alpha/vm1.monday --as vm1-monday --no-start",
  );
}

async function copyTo(
  session: Session,
  name: string,
  host: string,
  options: Pick<BackupOptions, "rate" | "wait" | "dryRun"> & { readonly part?: number },
): Promise<Operation | undefined> {
  const request = CopyBackupRequest.fromPartial({
    name,
    target: `hosts/${parseId("target", host.replace(/^hosts\//, ""))}`,
    bytesPerSecond: rateOf(options),
    requestId: session.requestId(options.part),
    validateOnly: options.dryRun === true,
  });
  const { operation } = await session.call(BackupServiceService.copyBackup, request);
  if (!options.wait || options.dryRun === true) return operation;
  return await session.follow(operation, `copying ${shortName(name)} to ${host}`);
}

function rateOf({ rate }: Pick<BackupOptions, "rate">): bigint {
  return rate === undefined ? 0n : BigInt(parseWhole("--rate", rate, 1, 1_000_000) * bytesPerMib);
}
