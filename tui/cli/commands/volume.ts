import type { Command } from "commander";
import { invalidArgument } from "../../../lib/errors.js";
import { kindNamed } from "../../../lib/kinds/kinds.js";
import { parseId } from "../../../lib/names.js";
import type { Instance } from "../../../proto/gen/zor/v1/instance.js";
import { GetInstanceRequest, InstanceServiceService } from "../../../proto/gen/zor/v1/instance_service.js";
import { VolumeServiceService } from "../../../proto/gen/zor/v1/volume_service.js";
import { type DisksChange, withoutVolume, withVolume } from "../../kinds/volume/attaching.js";
import { parseMemoryMib } from "../../kit/input/memory.js";
import { parseBytesPerSecond } from "../../kit/input/rate.js";
import { hostOf, idOf, shortName } from "../../kit/resource-name.js";
import { escapeText } from "../../kit/text/escape.js";
import { updateResource } from "../change.js";
import {
  dryRunOption,
  noWaitOption,
  type Registrar,
  ResourceArgument,
  responseOutput,
  waitOption,
  withExamples,
} from "../command.js";
import { defineKindList } from "../noun-list.js";
import { resolveName } from "../resolve.js";
import type { OutputFormat, Session } from "../session.js";

interface VolumeOptions {
  readonly output: OutputFormat;
  readonly host?: string;
  readonly dryRun?: boolean;
  readonly readOnly?: boolean;
  readonly bus?: string;
  readonly serial?: string;
}

interface MoveOptions {
  readonly output: OutputFormat;
  readonly host?: string;
  readonly dryRun?: boolean;
  readonly wait: boolean;
  readonly to: string;
  readonly limitRate?: string;
}

type Open = Registrar["open"];

/** `zor volume list|attach|detach|resize|move`. */
export function define({ program, open }: Registrar): void {
  const volume = program
    .command("volume")
    .description(
      "Give volumes to machines, take them away, grow and move them. They are made and deleted with zor create and zor delete.",
    )
    .helpCommand(false);
  defineKindList(volume, open, "spec.size_mib > 1024");
  defineAttach(volume, open);
  defineDetach(volume, open);
  defineResize(volume, open);
  defineMove(volume, open);
}

function defineAttach(volume: Command, open: Open): void {
  const command = changing(volume.command("attach"), "<instance>")
    .description("Give a volume to a machine as a disk, running or not. One machine writes it, or any number read it.")
    .option("--read-only", "the guest cannot write; others may read it too")
    .option("--bus <bus>", "virtio, scsi, nvme or usb; sata or ide of a machine that does not run (default: virtio)")
    .option("--serial <serial>", "by which the guest finds it: /dev/disk/by-id (default: the disk's name)")
    .action(async (volumeText: string, instanceText: string, options: VolumeOptions) => {
      const session = open(command);
      const { name, instance } = await findBoth(session, volumeText, instanceText, options);
      const { readOnly = false, bus = "", serial = "" } = options;
      const change = withVolume(instance, { volume: idOf(name), readOnly, bus, serial });
      await updateDisks(session, { name, instance, change, options, done: "attached to" });
    });
  withExamples(
    command,
    "zor volume attach alpha/data vm1",
    "zor volume attach alpha/tools vm1 --read-only --serial tools",
  );
}

function defineDetach(volume: Command, open: Open): void {
  const command = changing(volume.command("detach"), "[instance]")
    .description("Take a volume away from the machine that has it, running or not. A running guest must let go of it.")
    .action(async (volumeText: string, instanceText: string | undefined, options: VolumeOptions) => {
      const session = open(command);
      const { name, instance } = await findBoth(session, volumeText, instanceText, options);
      const change = withoutVolume(instance, idOf(name));
      await updateDisks(session, { name, instance, change, options, done: "detached from" });
    });
  withExamples(command, "zor volume detach alpha/data", "zor volume detach alpha/tools vm1");
}

function defineResize(volume: Command, open: Open): void {
  const command = changing(volume.command("resize"), "<size>")
    .description("Grow a volume; the same as zor set volume --size. A running guest sees its new size at once.")
    .action(async (text: string, size: string, options: VolumeOptions) => {
      const session = open(command);
      const kind = kindNamed("volume");
      const name = await resolveName(session, kind, text, options.host);
      const sizeMib = parseMemoryMib("size", size);
      const change = { resource: { spec: { sizeMib } }, paths: ["spec.size_mib"] };
      const dryRun = options.dryRun === true;
      const { method, response } = await updateResource(session, kind, { name, change, etag: "", dryRun });
      await session.printResponse(options.output, method, response, () => {
        if (options.output === "name") return escapeText(name);
        return escapeText(`volume ${shortName(name)} ${dryRun ? "could have" : "has"} ${sizeMib} MiB`);
      });
    });
  withExamples(command, "zor volume resize alpha/data 20G");
}

function defineMove(volume: Command, open: Open): void {
  const command = volume
    .command("move")
    .description("Move a volume to another pool of its host, also while a machine writes to it.")
    .addArgument(new ResourceArgument("<volume>", "the volume", "volume"))
    .requiredOption("--to <pool>", "the pool, on the same host")
    .option("--limit-rate <rate>", "most bytes a second, such as 10M (default: as fast as it goes)")
    .option("--host <host>", "the host of a name without one")
    .addOption(waitOption())
    .addOption(noWaitOption())
    .addOption(dryRunOption())
    .addOption(responseOutput())
    .action(async (text: string, options: MoveOptions) => {
      const session = open(command);
      const name = await resolveName(session, kindNamed("volume"), text, options.host);
      const rate = options.limitRate === undefined ? 0 : parseBytesPerSecond("--limit-rate", options.limitRate);
      const method = VolumeServiceService.moveVolume;
      const validateOnly = options.dryRun === true;
      const pool = parseId("--to", options.to.slice(options.to.lastIndexOf("/") + 1));
      const request = { name, pool, bytesPerSecond: BigInt(rate), requestId: session.requestId(), validateOnly };
      const { operation } = await session.call(method, request);
      const follows = options.wait && !validateOnly;
      const ended = follows ? await session.follow(operation, `moving ${shortName(name)}`) : operation;
      await session.printResponse(options.output, method, { operation: ended }, () => {
        if (options.output === "name") return escapeText(name);
        const outcome = validateOnly ? "could be moved" : follows ? "moved" : "is being moved";
        return escapeText(`volume ${shortName(name)} ${outcome} to ${pool}`);
      });
    });
  withExamples(command, "zor volume move alpha/data --to fast", "zor volume move alpha/data --to san --limit-rate 50M");
}

function changing(command: Command, more: string): Command {
  const withName = command.addArgument(new ResourceArgument("<volume>", "the volume", "volume"));
  const whole = more.includes("instance")
    ? withName.addArgument(new ResourceArgument(more, "the machine, on the same host", "instance"))
    : withName.argument(more, "its new size, such as 20G");
  return whole
    .option("--host <host>", "the host of a name without one")
    .addOption(dryRunOption())
    .addOption(responseOutput());
}

/** @param instanceText undefined: the one that has it. */
async function findBoth(
  session: Session,
  volumeText: string,
  instanceText: string | undefined,
  { host }: VolumeOptions,
): Promise<{ readonly name: string; readonly instance: Instance }> {
  const name = await resolveName(session, kindNamed("volume"), volumeText, host);
  const where =
    instanceText === undefined
      ? await findHolder(session, name)
      : await resolveName(session, kindNamed("instance"), instanceText, hostOf(name));
  if (hostOf(where) !== hostOf(name)) {
    throw invalidArgument("instance", `${shortName(name)} and ${shortName(where)} are on different hosts`);
  }
  const { instance } = await session.call(
    InstanceServiceService.getInstance,
    GetInstanceRequest.fromPartial({ name: where }),
  );
  if (instance === undefined) throw new Error("no instance in the response");
  return { name, instance };
}

async function findHolder(session: Session, name: string): Promise<string> {
  const { volume } = await session.call(VolumeServiceService.getVolume, { name });
  const [one, ...others] = [...new Set((volume?.status?.usedBy ?? []).map(({ instance }) => instance))];
  if (one !== undefined && others.length === 0) return one;
  const why = one === undefined ? "no machine has it" : "several machines have it; say which";
  throw invalidArgument("instance", `${shortName(name)}: ${why}`);
}

interface DisksUpdate {
  readonly name: string;
  readonly instance: Instance;
  readonly change: DisksChange;
  readonly options: VolumeOptions;
  readonly done: string;
}

async function updateDisks(session: Session, { name, instance, change, options, done }: DisksUpdate): Promise<void> {
  const dryRun = options.dryRun === true;
  const call = { name: instance.name, change, etag: change.etag, dryRun };
  const { method, response } = await updateResource(session, kindNamed("instance"), call);
  await session.printResponse(options.output, method, response, () => {
    if (options.output === "name") return escapeText(name);
    const outcome = dryRun ? `could be ${done}` : done;
    return escapeText(`volume ${shortName(name)} ${outcome} ${shortName(instance.name)}`);
  });
}
