import { mkdir, readFile, stat } from "node:fs/promises";
import { release } from "node:os";
import { dirname } from "node:path";
import { writeFileAtomic } from "../../../lib/files.js";
import { run, ToolError } from "../../host/exec.js";
import type { MicroImage } from "../images.js";
import { asObject, parseObject, textOf } from "./json.js";
import { findKvmGroups } from "./privileges.js";
import { qemuProgram } from "./program.js";

/** Whether machines can use KVM on this host. */
export interface KvmVerdict {
  readonly works: boolean;
  /** Why not, and what would help; empty when it works. */
  readonly reason: string;
}

/** What a probe needs. */
export interface KvmProbeOptions {
  readonly microImage: MicroImage | undefined;
  readonly qemuVersion: string;
  /** The verdict is kept here for as long as boot, kernel and QEMU stay the same. */
  readonly cacheFile: string;
  readonly signal: AbortSignal;
}

/** With KVM the image boots in less than a second; a host on which it takes longer has no working KVM. */
const bootLimitMs = 5000;
const noKvmReason =
  "there is no /dev/kvm: load the module kvm_intel or kvm_amd, or switch virtualisation on in the firmware";
const noAccessReason =
  "KVM works, but machines run as unprivileged users and none may open /dev/kvm: chgrp kvm /dev/kvm; chmod 0660 /dev/kvm";
const bootedMark = "zor: userland is up";

/**
 * Finds out whether a guest really boots under KVM: a device that opens proves nothing, since under some hypervisors a machine then
 * hangs for ever. Never throws, except when the signal aborts.
 */
export async function probeKvm(options: KvmProbeOptions): Promise<KvmVerdict> {
  const { microImage } = options;
  // These are cheap to find out again, and soon put right: not kept.
  if (!(await hasKvmDevice())) return { works: false, reason: noKvmReason };
  if (microImage === undefined) return { works: false, reason: "not probed: the built-in guest image is missing" };
  const key = await cacheKey(options.qemuVersion);
  const verdict = (await readVerdict(options.cacheFile, key)) ?? (await bootUnderKvm(microImage, options.signal));
  await keepVerdict(options.cacheFile, key, verdict);
  if (verdict.works && (await findKvmGroups()) === undefined) return { works: false, reason: noAccessReason };
  return verdict;
}

async function hasKvmDevice(): Promise<boolean> {
  return await stat("/dev/kvm").then(
    (device) => device.isCharacterDevice(),
    () => false,
  );
}

async function bootUnderKvm(image: MicroImage, signal: AbortSignal): Promise<KvmVerdict> {
  const argv = [
    ...["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio"],
    ...["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"],
    ...["-machine", "q35", "-accel", "kvm", "-cpu", "host", "-m", "size=128M"],
    ...["-kernel", image.kernel, "-initrd", image.initrd, "-append", "console=ttyS0 quiet panic=-1 zor.probe"],
  ];
  try {
    const { stdout } = await run(qemuProgram, argv, { timeoutMs: bootLimitMs, signal });
    if (stdout.includes(bootedMark)) return { works: true, reason: "" };
    return { works: false, reason: "a guest under KVM ended before it was up" };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof ToolError)) throw error;
    const said = error.stderrTail.split("\n")[0]?.replace(`${qemuProgram}: `, "") ?? "";
    const why = said === "" ? `was not up within ${bootLimitMs / 1000} s` : `ended with "${said.slice(0, 200)}"`;
    return { works: false, reason: `/dev/kvm is there, but a guest under it ${why}` };
  }
}

async function cacheKey(qemuVersion: string): Promise<string> {
  const bootId = (await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => "")).trim();
  return [bootId, release(), qemuVersion].join(" ");
}

async function readVerdict(file: string, key: string): Promise<KvmVerdict | undefined> {
  const content = await readFile(file).catch(() => undefined);
  const kept = content === undefined ? undefined : asObject(parseObject(content));
  if (kept === undefined || kept["key"] !== key || typeof kept["works"] !== "boolean") return undefined;
  return { works: kept["works"], reason: textOf(kept, "reason") };
}

async function keepVerdict(file: string, key: string, verdict: KvmVerdict): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await writeFileAtomic(file, `${JSON.stringify({ key, ...verdict })}\n`);
  } catch {
    // The next start probes again.
  }
}
