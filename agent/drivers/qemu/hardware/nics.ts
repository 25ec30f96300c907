import { status } from "@grpc/grpc-js";
import { type FieldViolation, messageOf, ZorError } from "../../../../lib/errors.js";
import type { InstanceNetwork } from "../../../network/instance-networks.js";
import { findQemuVersion } from "../fingerprint.js";
import { nicId } from "../ids.js";
import type { InheritedFd } from "../inherited-files.js";
import { violation } from "../options.js";
import { microvmPlaces } from "../placement.js";
import { openTaps } from "../tap.js";
import { toVirtioDevice } from "./device.js";
import type { Asked, HardwarePart, Launch } from "./part.js";

/** An interface whose tap is open. */
interface NicPlan {
  /** As recorded in the spec. */
  readonly address: string;
  readonly mac: string;
  readonly mtu: number;
  readonly fd: InheritedFd;
  /** An open /dev/vhost-net, to have the kernel move frames. */
  readonly vhostFd: InheritedFd | undefined;
  /** The guest is not offered to send UDP super-frames. Only for a QEMU that knows them, see {@link knowsUdpSuperFrames}. */
  readonly withoutUso: boolean;
}

const maxNics = 31;

export const nics: HardwarePart<readonly NicPlan[]> = {
  check,
  open,
  toArguments: (plans) => ({ argv: plans.flatMap(toNic) }),
};

/** Whether a QEMU offers UDP super-frames to guests, and knows the property that keeps it from that: since 8.2. */
export function knowsUdpSuperFrames(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > 8 || (major === 8 && minor >= 2);
}

function check({ spec, options }: Asked): FieldViolation[] {
  const count = spec.nics.length;
  if (options.machine === "microvm" && count > microvmPlaces.nics) {
    return [violation("qemu.machine", `a microvm has room for ${microvmPlaces.nics} interfaces; use "q35"`)];
  }
  return count > maxNics ? [violation("nics", `${count} are more than the ${maxNics} an instance can have`)] : [];
}

async function open({ network, spec, inherited, accelerator, resource, signal }: Launch): Promise<readonly NicPlan[]> {
  const withoutUso = await mustRefuseUso(network, signal);
  const fds = openTapsOf(network, resource);
  const plans: NicPlan[] = [];
  for (const [index, fd] of fds.entries()) {
    const nic = network.nics[index];
    const fdInside = inherited.adopt(fd);
    if (nic === undefined) continue;
    // The kernel's own backend needs KVM's interrupts to pay.
    const vhostFd = accelerator === "kvm" ? await inherited.openIfPossible("/dev/vhost-net") : undefined;
    const address = spec.nics[index]?.deviceAddress ?? "";
    plans.push({ address, mac: nic.mac, mtu: nic.mtu, fd: fdInside, vhostFd, withoutUso });
  }
  return plans;
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

function toNic(nic: NicPlan, index: number): string[] {
  const vhost = nic.vhostFd === undefined ? "vhost=off" : `vhost=on,vhostfd=${nic.vhostFd}`;
  const offloads = nic.withoutUso ? ",host_uso=off" : "";
  const properties = `id=${nicId(index)},netdev=net${index},mac=${nic.mac},host_mtu=${nic.mtu}${offloads}`;
  return [
    ...["-netdev", `tap,id=net${index},fd=${nic.fd},${vhost}`],
    ...["-device", toVirtioDevice("virtio-net", properties, nic.address)],
  ];
}
