import type { Command } from "commander";
import { kindNamed } from "../../../lib/kinds/kinds.js";
import { parseId } from "../../../lib/names.js";
import {
  CloneInstanceRequest,
  InstanceCopyServiceService,
  SaveInstanceRequest,
} from "../../../proto/gen/zor/v1/instance_copy_service.js";
import type { Operation } from "../../../proto/gen/zor/v1/operation.js";
import { parseWhole } from "../../kit/input/key-values.js";
import { hostOf, shortName } from "../../kit/resource-name.js";
import { escapeText } from "../../kit/text/escape.js";
import {
  dryRunOption,
  noWaitOption,
  type Registrar,
  ResourceArgument,
  responseOutput,
  waitOption,
  withExamples,
} from "../command.js";
import type { ResponseMethod } from "../output/proto-json.js";
import { resolveName } from "../resolve.js";
import type { OutputFormat, Session } from "../session.js";

interface CopyOptions {
  readonly output: OutputFormat;
  readonly host?: string;
  readonly dryRun?: boolean;
  readonly wait: boolean;
  readonly rate?: string;
}

interface SaveOptions extends CopyOptions {
  readonly image: string;
  readonly overlay?: boolean;
  readonly disk: string;
}

interface CloneOptions extends CopyOptions {
  readonly keepAddresses?: boolean;
  readonly start: boolean;
  readonly to?: string;
}

const bytesPerMib = 1024 * 1024;

/** `zor save` and `zor clone`. */
export function define(registrar: Registrar, name: string): void {
  if (name === "save") defineSave(registrar);
  else defineClone(registrar);
}

function defineSave({ program, open }: Registrar): void {
  const command = copying(program.command("save"))
    .description("Save a disk of a machine, or a container's files, as an image of its host, while it runs or not.")
    .addArgument(new ResourceArgument("<instance>", "the instance", "instance"))
    .requiredOption("--image <name>", "name of the new image")
    .option("--flatten", "all of it, in an image that needs no other (default)")
    .option("--overlay", "only what differs from the image it was made of, which the new one then needs")
    .option("--disk <number>", "which disk, counted from 0", "0")
    .action(async (text: string, options: SaveOptions) => {
      const session = open(command);
      const name = await resolveName(session, kindNamed("instance"), text, options.host);
      const method = InstanceCopyServiceService.saveInstance;
      const request = SaveInstanceRequest.fromPartial({
        name,
        image: options.image,
        overlay: options.overlay === true,
        disk: parseWhole("--disk", options.disk, 0, 63),
        ...common(session, options),
      });
      const { operation } = await session.call(method, request);
      await finish(session, {
        method,
        operation,
        options,
        doing: `saving ${shortName(name)}`,
        name: options.image,
        done: "saved",
      });
    });
  command.options.find(({ long }) => long === "--overlay")?.conflicts("flatten");
  withExamples(
    command,
    "zor save alpha/vm1 --image golden",
    "zor save alpha/vm1 --image patched --overlay --rate 50",
    "zor save alpha/web --image web-2",
  );
}

function defineClone({ program, open }: Registrar): void {
  const command = copying(program.command("clone"))
    .description("Make another instance that holds what one holds now, with an identity and MAC addresses of its own.")
    .addArgument(new ResourceArgument("<instance>", "the instance", "instance"))
    .argument("<name>", "name of the new one")
    .option("--to <host>", "make it on another host; default: the same")
    .option("--keep-addresses", "its interfaces have the same addresses too; mind both in one lan")
    .option("--no-start", "leave it stopped")
    .action(async (text: string, word: string, options: CloneOptions) => {
      const session = open(command);
      const name = await resolveName(session, kindNamed("instance"), text, options.host);
      const instanceId = parseId("name", word);
      const to = options.to === undefined ? undefined : parseId("--to", options.to);
      const made = `${to ?? hostOf(name) ?? ""}/${instanceId}`;
      const method = InstanceCopyServiceService.cloneInstance;
      const request = CloneInstanceRequest.fromPartial({
        name,
        instanceId,
        host: to === undefined ? "" : `hosts/${to}`,
        keepAddresses: options.keepAddresses === true,
        leaveStopped: !options.start,
        ...common(session, options),
      });
      const { operation } = await session.call(method, request);
      await finish(session, {
        method,
        operation,
        options,
        doing: `cloning ${shortName(name)}`,
        name: made,
        done: "made",
      });
    });
  withExamples(
    command,
    "zor clone alpha/vm1 vm2",
    "zor clone alpha/vm1 vm2 --no-start --keep-addresses",
    "zor clone alpha/vm1 vm2 --to beta",
  );
}

function copying(command: Command): Command {
  return command
    .option("--host <host>", "the host of a name without one")
    .option("--rate <mib>", "most MiB a second; default: as fast as it goes")
    .addOption(waitOption())
    .addOption(noWaitOption())
    .addOption(dryRunOption())
    .addOption(responseOutput());
}

function common(session: Session, { rate, dryRun }: CopyOptions) {
  const bytesPerSecond = rate === undefined ? 0n : BigInt(parseWhole("--rate", rate, 1, 1_000_000) * bytesPerMib);
  return { bytesPerSecond, requestId: session.requestId(), validateOnly: dryRun === true };
}

async function finish<Request>(
  session: Session,
  {
    method,
    options,
    ...rest
  }: {
    readonly method: ResponseMethod<Request, { operation: Operation | undefined }>;
    readonly operation: Operation | undefined;
    readonly options: CopyOptions;
    readonly doing: string;
    readonly name: string;
    readonly done: string;
  },
): Promise<void> {
  const follows = options.wait && options.dryRun !== true;
  const operation = follows ? await session.follow(rest.operation, rest.doing) : rest.operation;
  await session.printResponse(options.output, method, { operation }, () => {
    if (options.output === "name") return escapeText(rest.name);
    if (options.dryRun === true) return escapeText(`${rest.name} could be ${rest.done}; nothing was changed`);
    return escapeText(`${rest.name} ${follows ? rest.done : "taken on"}`);
  });
}
