import { closeSync } from "node:fs";
import { chmod, chown, type FileHandle, mkdir, open, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { messageOf, ZorError } from "../../../lib/errors.js";
import type { InstanceSpec, QemuOptions } from "../../../proto/gen/zor/v1/instance.js";
import { startDaemon } from "../../host/exec.js";
import type { ProcessExit } from "../../host/process-exit.js";
import type { DriverInstance } from "../driver.js";
import type { InstanceNetwork } from "../../network/instance-networks.js";
import { microName, type OpenImage, openImage, openMicroFile } from "../images.js";
import { type DiskPlan, knowsUdpSuperFrames, type MachinePlan, type NicPlan, toArgv } from "./argv.js";
import { assertBootable } from "./boot-memory.js";
import type { ContentDigests } from "./content-digests.js";
import { type InstanceDisk, openDisks } from "./disks.js";
import { findQemuVersion } from "./fingerprint.js";
import { toKernelArguments } from "./kernel-arguments.js";
import { machineTypeOf, placeDevices } from "./placement.js";
import { findKvmGroups, toUnprivileged, toUserId } from "./privileges.js";
import { openTaps } from "./tap.js";
import { findTscKhz } from "./tsc.js";
import { toUuid } from "./uuid.js";
import { qemuOptionsOf, sizeOf } from "./validate.js";

/** What a launch needs. */
export interface LaunchOptions {
  readonly imageDirectories: readonly string[];
  readonly digests: ContentDigests;
  readonly accelerator: "kvm" | "tcg";
  readonly resource: string;
  readonly signal: AbortSignal;
  /** Told how QEMU ended, when it does while this agent lives. */
  readonly onExit: (exit: ProcessExit) => void;
}

/** First descriptor number that a child has after its standard ones. */
const firstFd = 3;
const maxLogBytes = 1024 * 1024;

/** QEMU's working directory: the only place its user can reach. */
export function runDirectoryOf(instance: DriverInstance): string {
  return join(instance.directory, "run");
}

/** QEMU's own messages. */
export function logPathOf(instance: DriverInstance): string {
  return join(instance.directory, "qemu.log");
}

/**
 * Opens everything a machine needs, drops to its user and starts QEMU with CPUs stopped; resolves to its pid.
 * Descriptors instead of names: QEMU's user can read nothing of the agent's, and no link can be swapped after the checks.
 * @throws {ZorError} when an image or disk is not as it should be; {ToolError} when a program is missing.
 */
export async function launch(
  instance: DriverInstance,
  network: InstanceNetwork,
  options: LaunchOptions,
): Promise<number> {
  const user = toUserId(instance.uid);
  await makeRunDirectory(runDirectoryOf(instance), user);
  const inherited = new InheritedFiles();
  try {
    const plan = await toPlan(instance, network, inherited, options);
    const groups = options.accelerator === "kvm" ? await findKvmGroups() : [];
    const { tool, argv } = toUnprivileged(toArgv(plan), user, groups ?? []);
    await writeFile(logPathOf(instance), "", { mode: 0o600 });
    return await startDaemon(tool, argv, {
      netns: network.netns,
      cwd: runDirectoryOf(instance),
      logFile: logPathOf(instance),
      fds: inherited.fds,
      onExit: options.onExit,
    });
  } finally {
    await inherited.close();
  }
}

/** The last line of QEMU's messages, for people; empty when it said nothing. */
export async function lastMessage(instance: DriverInstance): Promise<string> {
  const text = await readFile(logPathOf(instance), "utf8").catch(() => "");
  return text.trim().split("\n").at(-1)?.slice(-300) ?? "";
}

/** Cuts QEMU's messages off when a guest has provoked too many. Call now and then. */
export async function boundLog(instance: DriverInstance): Promise<void> {
  const path = logPathOf(instance);
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  // QEMU appends: its next message goes to the new end.
  if (size > maxLogBytes) await truncate(path);
}

async function makeRunDirectory(path: string, user: number): Promise<void> {
  await rm(path, { recursive: true, force: true });
  await mkdir(path, { mode: 0o700 });
  await chown(path, user, user);
  await chmod(path, 0o700);
}

async function toPlan(
  instance: DriverInstance,
  network: InstanceNetwork,
  inherited: InheritedFiles,
  options: LaunchOptions,
): Promise<MachinePlan> {
  // The instance layer has recorded them; this is for a spec that could not be written since.
  const spec = placeDevices(instance.spec, { isNew: false });
  const qemu = qemuOptionsOf(spec);
  const { disks } = inherited.keep(await openDisks(qemu.disks, { ...options, directory: instance.directory }));
  return {
    id: instance.id,
    uuid: toUuid(instance.uid),
    machine: machineTypeOf(qemu),
    accelerator: options.accelerator,
    ...sizeOf(spec),
    boot: await toBoot({ instance, network, qemu, options }, inherited),
    disks: disks.map((disk, index) => toDiskPlan(disk, qemu.disks[index]?.deviceAddress ?? "", inherited)),
    nics: await openNics(network, spec.nics, inherited, options),
  };
}

async function toBoot(
  asked: {
    readonly instance: DriverInstance;
    readonly network: InstanceNetwork;
    readonly qemu: QemuOptions;
    readonly options: LaunchOptions;
  },
  inherited: InheritedFiles,
): Promise<MachinePlan["boot"]> {
  const { instance, network, qemu, options } = asked;
  const { imageDirectories, accelerator } = options;
  if (qemu.kernel === "") return undefined;
  const { kernel, initrd } = inherited.keep(await openBootFiles(imageDirectories, instance.spec));
  // The files may have changed since the machine was made, or an earlier agent may have made it.
  await assertBootable({ kernel, initrd }, sizeOf(instance.spec).memoryMib);
  return {
    kernelFd: inherited.share(kernel.file),
    initrdFd: initrd === undefined ? undefined : inherited.share(initrd.file),
    arguments: toKernelArguments({
      hostname: instance.id,
      nics: network.nics,
      // An emulated microvm has no timer that keeps its pace on a busy host: measuring by it, the kernel hangs.
      tscKhz: accelerator === "tcg" && qemu.machine === "microvm" ? await findTscKhz() : undefined,
      extra: qemu.kernelArguments,
    }),
  };
}

/** Kernel and initial ram disk, open. Disposing of them closes both. */
interface BootFiles extends AsyncDisposable {
  readonly kernel: OpenImage;
  readonly initrd: OpenImage | undefined;
}

/**
 * Opens kernel and initial ram disk for direct boot. QEMU's user opens them anew by descriptor, so they must be readable by all.
 * @throws {ZorError}
 */
export async function openBootFiles(directories: readonly string[], spec: InstanceSpec): Promise<BootFiles> {
  const { kernel, initrd } = qemuOptionsOf(spec);
  const fields = { kernel: "instance.spec.qemu.kernel", initrd: "instance.spec.qemu.initrd" };
  await using opened = new AsyncDisposableStack();
  const find = async (field: string, name: string): Promise<OpenImage> => {
    const image = opened.use(await openImage(directories, name, { field, accept: ["file"] }));
    if (((await image.file.stat()).mode & 0o004) !== 0) return image;
    throw new ZorError({
      reason: "IMAGE_UNREADABLE",
      code: status.FAILED_PRECONDITION,
      message: `${field}: machines run as unprivileged users and cannot read this file; allow it on the host with: chmod o+r`,
      violations: [{ field, description: "is not readable by all users of the host" }],
    });
  };
  const micro = async (part: "kernel" | "initrd"): Promise<OpenImage> =>
    opened.use(await openMicroFile(directories, part, fields.kernel));
  const isMicro = kernel === microName;
  const files = {
    kernel: isMicro ? await micro("kernel") : await find(fields.kernel, kernel),
    initrd: isMicro ? await micro("initrd") : initrd === "" ? undefined : await find(fields.initrd, initrd),
  };
  const kept = opened.move();
  return { ...files, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

function toDiskPlan({ overlay, chain }: InstanceDisk, address: string, inherited: InheritedFiles): DiskPlan {
  const bases = chain.layers.map(({ file, format }) => ({ fd: inherited.share(file), format }));
  return { layers: [{ fd: inherited.share(overlay), format: "qcow2" }, ...bases], address };
}

async function openNics(
  network: InstanceNetwork,
  specs: InstanceSpec["nics"],
  inherited: InheritedFiles,
  { accelerator, resource, signal }: LaunchOptions,
): Promise<readonly NicPlan[]> {
  const withoutUso = await mustRefuseUso(network, signal);
  const fds = openTapsOf(network, resource);
  const nics: NicPlan[] = [];
  for (const [index, fd] of fds.entries()) {
    const nic = network.nics[index];
    const fdInside = inherited.adopt(fd);
    if (nic === undefined) continue;
    // The kernel's own backend needs KVM's interrupts to pay.
    const vhostFd = accelerator === "kvm" ? await inherited.openIfPossible("/dev/vhost-net") : undefined;
    const address = specs[index]?.deviceAddress ?? "";
    nics.push({ address, mac: nic.mac, mtu: nic.mtu, fd: fdInside, vhostFd, withoutUso });
  }
  return nics;
}

/** Asks QEMU for its version only when it matters: it may have been upgraded since the agent was started. */
async function mustRefuseUso({ nics, udpSuperFrames = true }: InstanceNetwork, signal: AbortSignal): Promise<boolean> {
  if (udpSuperFrames || nics.length === 0) return false;
  const qemu = await findQemuVersion(signal);
  return "version" in qemu && knowsUdpSuperFrames(qemu.version);
}

function openTapsOf(network: InstanceNetwork, resource: string): number[] {
  try {
    return openTaps(
      network.netns,
      network.nics.map(({ port }) => port),
    );
  } catch (cause) {
    throw new ZorError({
      reason: "TAP_UNAVAILABLE",
      code: status.FAILED_PRECONDITION,
      message: `${resource}: its interfaces cannot be opened: ${messageOf(cause)}`,
      resource,
      cause,
    });
  }
}

/** Descriptors that a child inherits, and the numbers they have there. */
class InheritedFiles {
  readonly fds: number[] = [];
  readonly #owned = new AsyncDisposableStack();

  /** Owns what is open until {@link close}. */
  keep<Resource extends AsyncDisposable>(resource: Resource): Resource {
    return this.#owned.use(resource);
  }

  /** The child inherits this file, which somebody else closes. */
  share(file: FileHandle): number {
    return firstFd + this.fds.push(file.fd) - 1;
  }

  /** Opens a device for reading and writing; undefined when it is not there or may not be opened. */
  async openIfPossible(path: string): Promise<number | undefined> {
    const file = await open(path, "r+").catch(() => undefined);
    return file === undefined ? undefined : this.share(this.keep(file));
  }

  /** Takes an open descriptor over. */
  adopt(fd: number): number {
    this.#owned.defer(() => closeSync(fd));
    return firstFd + this.fds.push(fd) - 1;
  }

  /** Closes the agent's own; the child has copies. */
  async close(): Promise<void> {
    await this.#owned.disposeAsync();
  }
}
