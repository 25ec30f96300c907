import { status } from "@grpc/grpc-js";
import { type FieldViolation, ZorError } from "../../../../lib/errors.js";
import { quote } from "../../../../lib/names.js";
import { listed } from "../../../../lib/words.js";
import type { InstanceNetwork } from "../../../network/instance-networks.js";
import { findQemuVersion } from "../fingerprint.js";
import { netdevId, nicId } from "../ids.js";
import type { InheritedFd } from "../inherited-files.js";
import { sizeOf, violation } from "../options.js";
import { machineTypeOf, maxDevices, microvmPlaces } from "../placement.js";
import { assertHasDevice } from "../qemu-probe.js";
import { openTaps } from "../tap.js";
import { bootIndexOf } from "./boot-order.js";
import { toDeviceWord, toSlotHeads } from "./device.js";
import { assertCanBoot } from "./network-roms.js";
import { modelOf, type NicDevice, nicDriver, nicModels, toNicDevice } from "./nic-device.js";
import type { Asked, HardwarePart, Launch } from "./part.js";
import { toldOf } from "../../../host/told.js";

/** An interface whose tap is open. */
interface NicPlan extends NicDevice {
  /** One for each queue. */
  readonly fds: readonly InheritedFd[];
  /** As many open /dev/vhost-net, to have the kernel move frames; none: QEMU does. */
  readonly vhostFds: readonly InheritedFd[];
}

const maxQueues = 8;

export const nics: HardwarePart<readonly NicPlan[]> = {
  check,
  admit: async ({ spec, options }, { signal }) => {
    assertCanBoot({ spec, options });
    for (const [index, nic] of spec.nics.entries()) {
      if (modelOf(nic) === "virtio") continue;
      await assertHasDevice(`instance.spec.nics[${index}].model`, nicDriver(nic, machineTypeOf(options)), signal);
    }
  },
  open,
  toArguments: (plans, { machine }) => ({
    argv: [
      ...toSlotHeads(plans.map(({ address }) => address)),
      ...plans.flatMap((nic, index) => [
        ...["-netdev", toNetdev(nic, index)],
        ...["-device", toDeviceWord(toNicDevice(nic, index, machine))],
      ]),
    ],
  }),
};

/** Whether a QEMU offers UDP super-frames to guests, and knows the property that keeps it from that: since 8.2. */
export function knowsUdpSuperFrames(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > 8 || (major === 8 && minor >= 2);
}

/** Asks QEMU for its version only when it matters: it may have been upgraded since the agent was started. */
export async function mustRefuseUso(
  { nics, udpSuperFrames = true }: InstanceNetwork,
  signal: AbortSignal,
): Promise<boolean> {
  if (udpSuperFrames || nics.length === 0) return false;
  const qemu = await findQemuVersion(signal);
  return "version" in qemu && knowsUdpSuperFrames(qemu.version);
}

/** What is wrong with the interfaces of a spec for a machine; pure. */
function check({ spec, options }: Asked): FieldViolation[] {
  const count = spec.nics.length;
  const isMicrovm = options.machine === "microvm";
  if (isMicrovm && count > microvmPlaces.nics) {
    return [violation("qemu.machine", `a microvm has room for ${microvmPlaces.nics} interfaces; use "q35"`)];
  }
  if (count > maxDevices.nics) {
    return [violation("nics", `${count} are more than the ${maxDevices.nics} an instance can have`)];
  }
  const { cpus } = sizeOf(spec);
  return spec.nics.flatMap(({ model, queues }, index) => {
    const path = `nics[${index}]`;
    if (model !== "" && !nicModels.includes(model)) {
      const words = listed(nicModels, undefined, "or");
      return [violation(`${path}.model`, `${quote(model)} is not known; it can be ${words}`)];
    }
    const isVirtio = modelOf({ model }) === "virtio";
    if (isMicrovm && !isVirtio) {
      return [violation(`${path}.model`, `is ${model}: a microvm has virtio interfaces only; use machine "q35"`)];
    }
    if (!Number.isInteger(queues) || queues < 0 || queues > maxQueues) {
      return [violation(`${path}.queues`, `${queues} is not between 1 and ${maxQueues}`)];
    }
    if (queues > 1 && !isVirtio)
      return [violation(`${path}.queues`, `must be 1: ${model} has one; use model "virtio"`)];
    if (queues > cpus && queues > 1) {
      return [
        violation(`${path}.queues`, `${queues} are more than the machine's CPUs (${cpus}), which are to share them`),
      ];
    }
    return [];
  });
}

async function open(launch: Launch): Promise<readonly NicPlan[]> {
  const { network, spec, inherited, accelerator, resource, signal } = launch;
  const withoutUso = await mustRefuseUso(network, signal);
  assertCanBoot(launch);
  const taps = openTapsOf(network, resource).map((fds) => fds.map((fd) => inherited.adopt(fd)));
  const plans: NicPlan[] = [];
  for (const [index, fds] of taps.entries()) {
    const nic = network.nics[index];
    if (nic === undefined) continue;
    const { deviceAddress = "", model = "" } = spec.nics[index] ?? {};
    const vhostFds: InheritedFd[] = [];
    // The kernel's own backend needs KVM's interrupts to pay.
    if (accelerator === "kvm" && modelOf({ model }) === "virtio") {
      for (const _ of fds) {
        const vhostFd = await inherited.openIfPossible("/dev/vhost-net");
        if (vhostFd !== undefined) vhostFds.push(vhostFd);
      }
    }
    const { mac, mtu } = nic;
    plans.push({
      address: deviceAddress,
      model,
      mac,
      mtu,
      queues: fds.length,
      fds,
      vhostFds,
      withoutUso,
      bootIndex: bootIndexOf(launch, "nic", index),
    });
  }
  return plans;
}

/** The taps of a machine, open: a descriptor for each queue of each. @throws {ZorError} FAILED_PRECONDITION */
export function openTapsOf(network: InstanceNetwork, resource: string): number[][] {
  try {
    return openTaps(
      network.netns,
      network.nics.map(({ port, queues = 1 }) => ({ name: port, queues })),
    );
  } catch (cause) {
    throw new ZorError({
      reason: "TAP_UNAVAILABLE",
      code: status.FAILED_PRECONDITION,
      message: `${resource}: its interfaces cannot be opened: ${toldOf(cause)}`,
      resource,
      cause,
    });
  }
}

function toNetdev({ address, fds, vhostFds }: NicPlan, index: number): string {
  const id = netdevId(nicId(address, index));
  const several = fds.length > 1;
  const names = several ? `fds=${fds.join(":")}` : `fd=${fds.join(":")}`;
  const isVhost = vhostFds.length === fds.length;
  const vhost = isVhost ? `vhost=on,${several ? "vhostfds" : "vhostfd"}=${vhostFds.join(":")}` : "vhost=off";
  return `tap,id=${id},${names},${vhost}`;
}
