import { closeSync } from "node:fs";
import { failedPrecondition } from "../../../../lib/errors.js";
import type { Nic } from "../../../../proto/gen/zor/v1/instance.js";
import type { InstanceNetwork, NicPort } from "../../../network/instance-networks.js";
import { modelOf, toNicDevice } from "../hardware/nic-device.js";
import { mustRefuseUso, openTapsOf } from "../hardware/nics.js";
import { netdevId, nicId } from "../ids.js";
import type { MachineType } from "../placement.js";
import { removeNicDevice } from "./leftovers.js";
import { type LiveMachine, type LiveOptions, removeDevice } from "./live-machine.js";

/** An interface of a running machine and its place in the spec. The spec has its address: see placeDevices with isLive. */
export interface LiveNic {
  readonly nic: Nic;
  readonly index: number;
}

/** Options of work at interfaces of a running machine. */
export interface LiveNicOptions extends LiveOptions {
  readonly machine: MachineType;
}

/** @throws {ZorError} FAILED_PRECONDITION when nothing can be added to such a machine or taken away while it runs. */
function assertPluggable({ machine, resource }: LiveNicOptions): void {
  if (machine !== "microvm") return;
  throw failedPrecondition(
    "NOT_PLUGGABLE",
    resource,
    `${resource}: interfaces of a microvm cannot be added or taken away while it runs; stop it first`,
  );
}

/**
 * Adds an interface to a running machine. On error nothing of it is left.
 * @param port the tap that the network has made ready for it.
 * @throws {ZorError} when the tap cannot be opened, or QEMU refuses it.
 */
export async function plugNic(
  machine: LiveMachine,
  { nic, index, port, network }: LiveNic & { readonly port: NicPort; readonly network: InstanceNetwork },
  options: LiveNicOptions,
): Promise<void> {
  assertPluggable(options);
  const id = nicId(nic.deviceAddress, index);
  const netdev = netdevId(id);
  // An agent may have been ended before it had written down that it is there; its tap is free then.
  await removeNicDevice(machine, id, { ...options, what: `interface ${nic.name}` });
  const alone = { ...network, nics: [port] };
  const withoutUso = await mustRefuseUso(alone, options.signal);
  const fds = openTapsOf(alone, options.resource)[0] ?? [];
  await using undo = new AsyncDisposableStack();
  try {
    const names: string[] = [];
    for (const [queue, fd] of fds.entries()) {
      const fdname = `${netdev}q${queue}`;
      await machine.executeWith(fd, "getfd", { fdname });
      names.push(fdname);
    }
    const several = names.length > 1;
    const which = several ? { fds: names.join(":") } : { fd: names.join("") };
    await machine.execute("netdev_add", { type: "tap", id: netdev, vhost: false, ...which });
    undo.defer(async () => void (await machine.execute("netdev_del", { id: netdev })));
    options.signal.throwIfAborted();
    const device = toNicDevice(
      {
        ...{ model: modelOf(nic), address: nic.deviceAddress, mac: port.mac, mtu: port.mtu },
        ...{ queues: fds.length, withoutUso, bootIndex: undefined },
      },
      index,
      options.machine,
    );
    await machine.execute("device_add", device);
    undo.defer(() => removeDevice(machine, id, { ...options, what: nic.name }));
    if (port.plugged === false) await machine.execute("set_link", { name: id, up: false });
    undo.move();
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}

/**
 * Takes an interface away from a running machine when the guest lets go of it. Idempotent. Its tap is the network's to remove.
 * @throws {ZorError} FAILED_PRECONDITION when the guest keeps it; then it is as before.
 */
export async function unplugNic(machine: LiveMachine, { nic, index }: LiveNic, options: LiveNicOptions): Promise<void> {
  assertPluggable(options);
  const id = nicId(nic.deviceAddress, index);
  await removeNicDevice(machine, id, { ...options, what: `interface ${nic.name}` });
}
