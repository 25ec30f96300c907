import type { Command } from "commander";
import { kindNamed } from "../../../lib/kinds/kinds.js";
import { type AnyResource, isOfKind } from "../../../lib/kinds/resource.js";
import { parseId } from "../../../lib/names.js";
import type { Operation } from "../../../proto/gen/zor/v1/operation.js";
import { CreateSnapshotRequest, SnapshotServiceService } from "../../../proto/gen/zor/v1/snapshot_service.js";
import { revertingTo } from "../../kinds/snapshot/actions.js";
import { treeKey } from "../../kinds/snapshot/tree.js";
import { hostOf, idOf, shortName } from "../../kit/resource-name.js";
import { escapeText } from "../../kit/text/escape.js";
import {
  asResourceList,
  dryRunOption,
  type ListingOptions,
  noWaitOption,
  type Registrar,
  ResourceArgument,
  responseOutput,
  waitOption,
  withExamples,
  yesOption,
} from "../command.js";
import { confirm } from "../confirm.js";
import { narrowed } from "../input/narrowed.js";
import { listResources } from "../list-resources.js";
import type { ResponseMethod } from "../output/proto-json.js";
import { resolveName } from "../resolve.js";
import type { OutputFormat, Session } from "../session.js";

interface ChangeOptions {
  readonly output: OutputFormat;
  readonly host?: string;
  readonly dryRun?: boolean;
  readonly wait: boolean;
  readonly yes?: boolean;
  readonly ram?: boolean;
  readonly message?: string;
}

const deleteTimeoutMs = 300_000;

/** `zor snapshot create|list|revert|delete`. */
export function define({ program, open }: Registrar): void {
  const snapshot = program
    .command("snapshot")
    .description("Keep states of instances, and go back to them. A snapshot NAME of vm1 is the resource vm1.NAME.")
    .helpCommand(false);
  defineCreate(snapshot, open);
  defineList(snapshot, open);
  defineRevert(snapshot, open);
  defineDelete(snapshot, open);
}

function defineCreate(snapshot: Command, open: Registrar["open"]): void {
  const command = changing(snapshot.command("create"))
    .description(
      "Take a snapshot of an instance, running or not. Its guest's file systems are frozen meanwhile, where they can be.",
    )
    .option("--ram", "with the memory of a running machine: going back continues where it was")
    .option("-m, --message <text>", "what is to be said of it")
    .action(async (instanceText: string, word: string, options: ChangeOptions) => {
      const session = open(command);
      const instance = await resolveName(session, kindNamed("instance"), instanceText, options.host);
      const name = snapshotName(instance, word);
      const method = SnapshotServiceService.createSnapshot;
      const request = CreateSnapshotRequest.fromPartial({
        parent: hostPart(instance),
        snapshotId: idOf(name),
        snapshot: {
          spec: { instance: idOf(instance), memory: options.ram === true, description: options.message ?? "" },
        },
        requestId: session.requestId(),
        validateOnly: options.dryRun === true,
      });
      const { operation } = await session.call(method, request);
      await finish(session, { name, method, operation, options, doing: "taking", done: "taken" });
    });
  withExamples(
    command,
    "zor snapshot create alpha/vm1 before -m 'before the upgrade'",
    "zor snapshot create alpha/vm1 booted --ram",
  );
}

function defineList(snapshot: Command, open: Registrar["open"]): void {
  const command = snapshot
    .command("list")
    .description(
      "The snapshots of an instance, or of all, as trees. A star marks the one that the instance descends from.",
    )
    .addArgument(new ResourceArgument("[instance]", "the instance", "instance"))
    .option("--host <host>", "the host of a name without one")
    .action(async (text: string | undefined, options: ListingOptions) => {
      const session = open(command);
      const kind = kindNamed("snapshot");
      const instance =
        text === undefined ? undefined : await resolveName(session, kindNamed("instance"), text, options.host);
      if (instance === undefined) return await listResources(session, kind, [], { ...options, arrange: treeOrder });
      const ofIt = `spec.instance = ${idOf(instance)}`;
      const filter = narrowed(options.filter, [ofIt]);
      await listResources(session, kind, [], { ...options, filter, host: hostOf(instance) ?? "", arrange: treeOrder });
    });
  asResourceList(command, "spec.memory = true");
  withExamples(command, "zor snapshot list alpha/vm1", "zor snapshot list", "zor get snapshots -o json");
}

function defineRevert(snapshot: Command, open: Registrar["open"]): void {
  const command = changing(snapshot.command("revert"))
    .description(
      "Take an instance back to a snapshot, after asking. What it is now is lost unless there is a snapshot of it.",
    )
    .addOption(yesOption())
    .action(async (instanceText: string, word: string, options: ChangeOptions) => {
      const session = open(command);
      const instance = await resolveName(session, kindNamed("instance"), instanceText, options.host);
      const name = snapshotName(instance, word);
      const found = (await session.call(SnapshotServiceService.getSnapshot, { name })).snapshot;
      if (found !== undefined && !(await confirm(session, [escapeText(revertingTo(found))], "Go back?", options)))
        return;
      const method = SnapshotServiceService.revertSnapshot;
      const request = { name, requestId: session.requestId(), validateOnly: options.dryRun === true };
      const { operation } = await session.call(method, request);
      await finish(session, { name, method, operation, options, doing: "going back to", done: "gone back to" });
    });
  withExamples(command, "zor snapshot revert alpha/vm1 before", "zor snapshot revert alpha/vm1 booted --yes");
}

function defineDelete(snapshot: Command, open: Registrar["open"]): void {
  const command = changing(snapshot.command("delete"))
    .description("Delete a snapshot. Those that were taken after it stay, and hang from the one before it.")
    .addOption(yesOption())
    .action(async (instanceText: string, word: string, options: ChangeOptions) => {
      const session = open(command);
      const instance = await resolveName(session, kindNamed("instance"), instanceText, options.host);
      const name = snapshotName(instance, word);
      await session.call(SnapshotServiceService.getSnapshot, { name });
      const plan = [escapeText(`${shortName(name)}: one cannot go back to it any more`)];
      if (!(await confirm(session, plan, "Delete?", options))) return;
      const method = SnapshotServiceService.deleteSnapshot;
      const request = { name, requestId: session.requestId(), validateOnly: options.dryRun === true };
      const response = await session.call(method, request, deleteTimeoutMs);
      await session.printResponse(options.output, method, response, () =>
        escapeText(
          options.output === "name"
            ? name
            : `${shortName(name)} ${options.dryRun === true ? "could be deleted" : "deleted"}`,
        ),
      );
    });
  withExamples(command, "zor snapshot delete alpha/vm1 before");
}

function changing(command: Command): Command {
  return command
    .addArgument(new ResourceArgument("<instance>", "the instance", "instance"))
    .argument("<name>", "the snapshot's name, without its instance's")
    .option("--host <host>", "the host of a name without one")
    .addOption(waitOption())
    .addOption(noWaitOption())
    .addOption(dryRunOption())
    .addOption(responseOutput());
}

interface Finish<Request> {
  readonly name: string;
  readonly method: ResponseMethod<Request, { operation: Operation | undefined }>;
  readonly operation: Operation | undefined;
  readonly options: ChangeOptions;
  readonly doing: string;
  readonly done: string;
}

async function finish<Request>(
  session: Session,
  { name, method, options, doing, done, ...rest }: Finish<Request>,
): Promise<void> {
  const follows = options.wait && options.dryRun !== true;
  const operation = follows ? await session.follow(rest.operation, `${doing} ${shortName(name)}`) : rest.operation;
  await session.printResponse(options.output, method, { operation }, () => {
    if (options.output === "name") return escapeText(name);
    const outcome = options.dryRun === true ? `could be ${done}; nothing was changed` : follows ? done : "taken on";
    return escapeText(`snapshot ${shortName(name)} ${outcome}`);
  });
}

/** "hosts/alpha/snapshots/vm1.before" of vm1's snapshot "before". */
function snapshotName(instance: string, word: string): string {
  return `${hostPart(instance)}/snapshots/${parseId("name", `${idOf(instance)}.${word}`)}`;
}

function hostPart(name: string): string {
  return name.split("/").slice(0, 2).join("/");
}

/** Snapshots below those that they were taken after. */
function treeOrder(resources: readonly AnyResource[]): readonly AnyResource[] {
  const key = (resource: AnyResource): string => (isOfKind(resource, "snapshot") ? keyOf(resource.value) : "");
  return resources.toSorted((one, other) => (key(one) < key(other) ? -1 : 1));
}

function keyOf(snapshot: Parameters<typeof treeKey>[0] & { readonly name: string }): string {
  return `${hostPart(snapshot.name)} ${treeKey(snapshot)}`;
}
