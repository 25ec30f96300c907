import { randomUUID } from "node:crypto";
import { chown, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { invalidArgument } from "../../../../lib/errors.js";
import { quote } from "../../../../lib/names.js";
import type { FileEntry, FileSystemUsage, FilesRequest, HasFiles, NewFile, OpenFiles } from "../../abilities/files.js";
import type { DriverInstance, RecoveryHandle } from "../../driver-instance.js";
import type { MachineAccess } from "../blocks/machine-copies.js";
import { numberOf, parseObject, textOf } from "../json.js";
import { findKvmGroups, toUserId } from "../privileges.js";
import type { Appliances } from "./appliance.js";
import type { Frame } from "./frames.js";
import { GuestfsSession } from "./guestfs-session.js";
import { type LookedAt, shareDisks } from "./shared-disks.js";
import { takeSocket } from "./take-socket.js";

/** What looking into disks needs of the driver. */
export interface LookAccess extends MachineAccess {
  readonly appliances: Appliances;
  /** Whether the host's KVM works. */
  kvmWorks(): Promise<boolean>;
}

/** Of the machine that looks. */
const memoryMib = 768;

/** Files in the disks of machines, which a kernel of their own reads: no parser of file systems runs on the host. */
export function machineFiles(access: LookAccess): HasFiles {
  return { openFiles: (instance, handle, request) => open(access, instance, { ...request, handle }) };
}

async function open(
  access: LookAccess,
  instance: DriverInstance,
  request: FilesRequest & { readonly handle: RecoveryHandle | undefined },
): Promise<OpenFiles> {
  const { name: resource } = instance;
  const { writable, signal, onStage, filesystem } = request;
  if (filesystem !== "" && !/^\/dev\/[A-Za-z0-9_.+/-]{1,200}$/.test(filesystem)) {
    throw invalidArgument("place.filesystem", `${quote(filesystem)} is none; list them with: zor disk df`);
  }
  const appliance = await access.appliances.get(resource, onStage);
  await using undo = new AsyncDisposableStack();
  // Not the machine's own user: what the guest may have done to this machine reaches nothing of that one.
  const user = toUserId(`${instance.uid} files`);
  const directory = join(instance.directory, "look");
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { mode: 0o700 });
  await chown(directory, user, user);
  undo.defer(() => rm(directory, { recursive: true, force: true }));
  onStage(request.handle === undefined ? "opening the disks" : "keeping the disks as they are now, to look at that");
  const shared = undo.use(await shareDisks(access, instance, request));
  for (const [index, { socket }] of shared.disks.entries()) {
    await takeSocket(socket, join(directory, `disk${index}`), user);
  }
  onStage("starting the machine that looks into them");
  const kvmGroups = (await access.kvmWorks()) ? await findKvmGroups() : undefined;
  const qemu = await access.appliances.wrapper();
  const session = undo.use(
    GuestfsSession.start({ resource, directory, appliance: appliance.directory, qemu, user, kvmGroups, signal }),
  );
  const drives = shared.disks.map(({ name }, index) => ({ socket: `/tmp/disk${index}`, export: name }));
  const common = { writable: writable ? 1 : 0 };
  await session.do({ op: "launch", appliance: "/mnt/appliance", hv: "/mnt/qemu", memoryMib, drives, ...common });
  onStage("reading");
  if (!request.isOverview) await session.do({ op: "mount", filesystem, ...common });
  const kept = undo.move();
  return new MachineFiles(session, shared.disks, kept);
}

/** Paths go to the program byte by byte. */
function bytesOf(path: string): string {
  return Buffer.from(path, "utf8").toString("latin1");
}

class MachineFiles implements OpenFiles {
  readonly #session: GuestfsSession;
  readonly #disks: readonly LookedAt[];
  readonly #kept: AsyncDisposableStack;

  constructor(session: GuestfsSession, disks: readonly LookedAt[], kept: AsyncDisposableStack) {
    this.#session = session;
    this.#disks = disks;
    this.#kept = kept;
  }

  async stat(path: string, follow: boolean): Promise<FileEntry> {
    let found: FileEntry | undefined;
    const request = { op: "stat", path: bytesOf(path), follow: follow ? 1 : 0 };
    for await (const frame of this.#session.ask(request)) found ??= { ...toEntry(frame), name: Buffer.from(path) };
    if (found === undefined) throw new Error("the program that looks into disks has answered nothing");
    return found;
  }

  async *list(path: string): AsyncGenerator<FileEntry> {
    const request = { op: "list", path: bytesOf(path), scratch: "/tmp/names" };
    for await (const frame of this.#session.ask(request)) yield toEntry(frame);
  }

  async *read(path: string): AsyncGenerator<Buffer> {
    for await (const { data } of this.#session.ask({ op: "read", path: bytesOf(path), offset: 0 })) yield data;
  }

  async *pack(path: string): AsyncGenerator<Buffer> {
    for await (const { data } of this.#session.ask({ op: "tar", path: bytesOf(path) })) yield data;
  }

  async *usage(): AsyncGenerator<FileSystemUsage> {
    for await (const { data } of this.#session.ask({ op: "usage" })) {
      const told = parseObject(data);
      const device = textOf(told, "device");
      yield {
        device,
        type: textOf(told, "type"),
        label: this.#label(device, textOf(told, "label")),
        size: numberOf(told, "size") ?? 0,
        free: numberOf(told, "free") ?? 0,
        reason: textOf(told, "reason"),
      };
    }
  }

  async write(path: string, { size, mode, expected, base }: NewFile, content: AsyncIterable<Buffer>): Promise<void> {
    const was = expected === undefined ? null : { size: expected.size, mtime: expected.modified };
    const how = { id: randomUUID().slice(0, 8), size, mode, uid: 0, gid: 0, expected: was, base: bytesOf(base) };
    await this.#session.do({ op: "write", path: bytesOf(path), ...how }, content);
  }

  async unpack(path: string, archive: AsyncIterable<Buffer>): Promise<void> {
    await this.#session.do({ op: "unpack", path: bytesOf(path) }, archive);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#kept.disposeAsync();
  }

  /** Which disk a file system is on says more than the name that it has in the machine that looks. */
  #label(device: string, label: string): string {
    const letter = /^\/dev\/sd([a-z])\d*$/.exec(device)?.[1] ?? "";
    const disk = this.#disks["abcdefghijklmnopqrstuvwxyz".indexOf(letter)]?.name ?? "";
    return [disk, label].filter((word) => word !== "").join(" ");
  }
}

function toEntry({ data }: Frame): FileEntry {
  const told = parseObject(data);
  const number = (member: string) => numberOf(told, member) ?? 0;
  return {
    name: Buffer.from(textOf(told, "name"), "latin1"),
    mode: number("mode"),
    uid: number("uid"),
    gid: number("gid"),
    size: number("size"),
    modified: number("mtime"),
    target: Buffer.from(textOf(told, "target"), "latin1"),
  };
}
